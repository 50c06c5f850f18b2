"""schemathesis against a `natter dev`: every answer is one that docs/openapi.json describes, whatever is sent.

As a member of conversations, as a user who shares none with them, and without a log-in; examples, boundary values, random
requests, and chains of requests that follow the document's links."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.request

from natter_process import running

HERE = pathlib.Path(__file__).resolve().parent
PASSWORD = "a horse of another color"
CALLERS = ("member", "stranger", "stranger without a log-in")
REQUESTS = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def call(base, method, path, token=None, body=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    with REQUESTS.open(urllib.request.Request(base + path, data, headers, method=method), timeout=20) as answer:
        text = answer.read()
        return json.loads(text) if text else None


def register(base, name):
    account = {"username": name, "email": f"{name}@tests.example", "password": PASSWORD}
    return call(base, "POST", "/api/auth/register", body=account)


def world(base, number):
    """Users, conversations and messages for requests to name."""
    sessions = {name: register(base, f"{name}{number}") for name in ("member", "other", "stranger", "leaver")}
    ids = {name: session["user"]["id"] for name, session in sessions.items()}
    tokens = {name: session["token"] for name, session in sessions.items()}
    conversations, seqs = [], []
    for kind in ("group", "group", "direct"):
        body = {"type": kind, "participantIds": [ids["other"]]}
        conversation = call(base, "POST", "/api/conversations", tokens["member"], body)["id"]
        conversations.append(conversation)
        for author in ("member", "other"):
            message = {"conversationId": conversation, "content": f"hello from {author}"}
            seqs.append(call(base, "POST", "/api/messages", tokens[author], message)["seq"])
    return {
        "base": base,
        "password": PASSWORD,
        "tokens": tokens,
        "leaver": sessions["leaver"]["user"]["username"],
        "users": [ids["other"], ids["stranger"], ids["leaver"]],
        "conversations": conversations,
        "seqs": seqs,
    }


def config(known, options):
    """Of schemathesis: which parameters mean what, and what it does not have to report."""
    def listed(values):
        return json.dumps(values, ensure_ascii=False)

    return f"""
[dictionaries.ids]
values = {listed(known["conversations"] + known["users"])}
[dictionaries.conversations]
values = {listed(known["conversations"])}
[dictionaries.users]
values = {listed(known["users"])}
[dictionaries.seqs]
values = {listed(known["seqs"])}
[dictionaries.emoji]
values = {listed(["👍", "❤️", "👩‍👩‍👧‍👦"])}

[parameters]
"path.id" = {{ dictionary = "ids", probability = 0.7 }}
"path.user" = {{ dictionary = "users", probability = 0.7 }}
"path.seq" = {{ dictionary = "seqs", probability = 0.7 }}
"path.emoji" = {{ dictionary = "emoji", probability = 0.7 }}
"query.conversationId" = {{ dictionary = "conversations", probability = 0.7 }}

# Chains of requests: they get furthest.
[phases.stateful.generation]
max-examples = {3 * options.examples}

# Rules that a schema cannot express (text that is seen, bytes of UTF-8, emoji, ids that exist) are `invalid`.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "400", "401", "403", "404", "409", "413", "422"]
"""


def run(natter, number, caller, options):
    """How many requests it made, and what is wrong with their answers: nothing, or schemathesis's report."""
    begun = time.monotonic()
    folder = natter.folder / f"caller-{number}"
    folder.mkdir()
    # A world of its own: what one caller does to it is not there for the next.
    known = world(natter.base, number)
    settings = folder / "schemathesis.toml"
    settings.write_text(config(known, options))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings), "run",
               known["base"] + "/api/openapi.json", "--seed", str(options.seed + number),
               "--max-examples", str(options.examples), "--phases", "examples,coverage,fuzzing,stateful", "--continue-on-failure", "--warnings", "off",
               "--suppress-health-check", "all", "--exclude-operation-id", "openSocket"]
    environment = {**os.environ, "CONTRACT_WORLD": json.dumps(known), "CONTRACT_CALLER": caller, "NO_COLOR": "1",
                   "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": f"{os.environ['PYTHONPATH']}:{HERE}"}
    done = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    made = re.findall(r"([\d,]+) generated", done.stdout)
    cases = sum(int(number.replace(",", "")) for number in made)
    print(f"contract, by a {caller}: {cases} requests in {time.monotonic() - begun:.0f} s", flush=True)
    failed = done.returncode != 0 or cases == 0
    return cases, f"by a {caller}:\n{done.stdout}\n{done.stderr}" if failed else ""


def panicked(natter):
    with REQUESTS.open(f"http://127.0.0.1:{natter.admin_port}/metrics", timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    return any(line.startswith("natter_panics_total") and float(line.split()[-1]) > 0 for line in lines)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("binary")
    options.add_argument("--examples", type=int, default=5, help="random requests for each operation and caller")
    options.add_argument("--seed", type=int, default=20261127)
    options.add_argument("--at-least", type=int, default=0, help="fails when fewer requests were made")
    options.add_argument("--caller", choices=CALLERS, action="append", help="this one alone; may be repeated")
    options = options.parse_args()

    os.environ["JWT_EXPIRES_IN"] = "1h"  # A token outlives the longest run.
    callers = options.caller or CALLERS
    with running(options.binary) as natter, concurrent.futures.ThreadPoolExecutor(len(callers)) as threads:
        runs = [threads.submit(run, natter, number, caller, options) for number, caller in enumerate(callers)]
        results = [done.result() for done in runs]
        if panicked(natter):
            sys.exit(f"a handler panicked:\n{natter.tail()}")
    reports = [report for _, report in results if report]
    if reports:
        print(*reports, sep="\n", file=sys.stderr)
        sys.exit("there are answers that docs/openapi.json does not describe: see above")
    total = sum(cases for cases, _ in results)
    if total < options.at_least:
        sys.exit(f"{total} requests were made, not {options.at_least}")
    print("contract: ok")


if __name__ == "__main__":
    main()
