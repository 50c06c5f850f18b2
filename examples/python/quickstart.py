"""Registers, sends a message over a socket, goes away and catches up: quickstart.py [http://127.0.0.1:3000]"""

import json
import sys
import uuid

import httpx
from websockets.sync.client import connect

BASE = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000"


def post(path, body, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.post(BASE + path, json=body, headers=headers, trust_env=False).raise_for_status().json()


def register(name):
    name = f"{name}-{uuid.uuid4().hex[:8]}"
    account = {"username": name, "email": f"{name}@example.org", "password": "correct horse battery"}
    return post("/api/auth/register", account)


def show(types, *requests):
    """Opens a socket, sends the requests and shows what comes, until a frame of each of these types has."""
    seen = {}
    with connect(BASE.replace("http", "ws", 1) + "/ws", subprotocols=["natter.v1"], proxy=None) as socket:
        for request in requests:
            socket.send(json.dumps(request))
        while types - seen.keys():
            print(text := socket.recv())
            frame = json.loads(text)
            seen[frame["type"]] = frame
    return seen


me, friend = register("me"), register("friend")
direct = {"type": "direct", "participantIds": [friend["user"]["id"]]}
room = post("/api/conversations", direct, me["token"])["id"]

# The clientId makes it one message, however often it is sent; the ack says that it is kept.
hello = {"type": "hello", "token": me["token"], "deviceId": "laptop"}
send = {"type": "send", "id": 1, "conversationId": room, "content": "hello", "clientId": str(uuid.uuid4())}
seen = show({"ack", "message:new"}, hello, send)

# What comes meanwhile is not lost: the next socket asks for everything after what this one has seen.
post("/api/messages", {"conversationId": room, "content": "are you there?"}, friend["token"])
resume = {"epoch": seen["welcome"]["epoch"], "positions": {room: seen["message:new"]["seq"]}}
show({"resume:done"}, {**hello, "resume": resume})
