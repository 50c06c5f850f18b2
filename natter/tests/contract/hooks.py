"""What schemathesis cannot know: who calls, and which ids name something.

Choices follow from the generated values alone, so that one seed makes one run."""

import json
import os
import re
import urllib.parse
import urllib.request
import zlib

import schemathesis

WORLD = json.loads(os.environ["CONTRACT_WORLD"])
CALLER = os.environ["CONTRACT_CALLER"]
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# They end the session that calls them, which then can call nothing else.
ENDS_SESSIONS = {"logOut", "logOutEverywhere", "changePassword"}


def fresh_session():
    body = json.dumps({"login": WORLD["leaver"], "password": WORLD["password"]}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(WORLD["base"] + "/api/auth/login", body, headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        return json.load(answer)["token"]


if CALLER != "stranger without a log-in":

    @schemathesis.auth(refresh_interval=None)
    class Caller:
        def get(self, case, context):
            ends = case.operation.definition.raw.get("operationId") in ENDS_SESSIONS
            return fresh_session() if ends else WORLD["tokens"][CALLER]

        def set(self, case, token, context):
            case.headers = case.headers or {}
            case.headers["Authorization"] = f"Bearer {token}"


def chosen(value, names):
    """One of the names that mean something, three times of four."""
    number = zlib.crc32(json.dumps(value, sort_keys=True, default=repr).encode())
    return names[number % len(names)] if number % 4 else None


@schemathesis.hook
def filter_query(context, query):
    """A request line beyond 32 KiB does not reach the API: HTTP itself answers 431, which no operation describes."""
    return len(urllib.parse.urlencode(query or {}, doseq=True)) < 24 * 1024


@schemathesis.hook
def map_body(context, body):
    """Ids that are well formed become ids that name something: what is valid stays valid, what is not is not touched."""
    if not isinstance(body, dict):
        return body
    for field, names in (("conversationId", WORLD["conversations"]), ("participantIds", WORLD["users"]),
                         ("userIds", WORLD["users"])):
        value = body.get(field)
        if isinstance(value, str) and UUID.fullmatch(value):
            body[field] = chosen(body, names) or value
        elif isinstance(value, list) and value and all(isinstance(v, str) and UUID.fullmatch(v) for v in value):
            body[field] = [chosen([body, index], names) or v for index, v in enumerate(value)]
    return body
