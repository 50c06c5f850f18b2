"""A walk through every promise a client may rely on, against a running server.

    tour.py http://127.0.0.1:3000          a server that runs already
    tour.py http://one:3000 http://two:3000
                                           two nodes of one deployment: Alice on the first, everybody else on the other
    tour.py --start target/release/natter  one of its own, in a folder of its own

Exits with 1 at the first promise that is not kept, and names it.
"""

import argparse
import asyncio
import json
import os
import sys
import time
import uuid

from natter_client import Broken, ConnectionClosed, Refused, Rest, Socket, closes_with, dial, expect
from natter_process import running
from tour_world import STEPS, World, name, step

class BadText(bytes):
    """Bytes to be sent as a text frame all the same."""


@step("a healthy server reports it")
async def health(w):
    answer = await w.alice.ok("GET", "/health")
    expect(answer["status"] == "ok" and answer["timestamp"].endswith("Z"), f"health: {answer}")
    await w.alice.ok("GET", "/health/live")
    await w.alice.ok("GET", "/health/ready")
    # It is left alone until the last step: the server has 10 s to lose patience with it.
    w.mute = (await dial(w.base), time.monotonic())


@step("users register, log in, and get errors that name the wrong field")
async def accounts(w):
    for rest, who in ((w.alice, "alice"), (w.bob, "bob"), (w.carol, "carol")):
        await rest.register(name(who))
    taken = {"username": w.alice.user["username"], "email": name("x") + "@example.org", "password": "long enough"}
    stranger = Rest(w.other)
    await stranger.refused("POST", "/api/auth/register", 409, "username_taken", json=taken)
    taken = {**taken, "username": name("x"), "email": w.alice.user["username"] + "@example.org"}
    await stranger.refused("POST", "/api/auth/register", 409, "email_taken", json=taken)
    wrong = {"username": "A!", "email": "nowhere", "password": "short"}
    problem = await stranger.refused("POST", "/api/auth/register", 422, "invalid", json=wrong)
    fields = {error["field"] for error in problem["errors"]}
    expect({"username", "email", "password"} <= fields, f"fields at fault are named: {problem}")
    for login in (w.alice.user["username"], name("unknown")):
        body = {"login": login, "password": "wrong password"}
        await stranger.refused("POST", "/api/auth/login", 401, "bad_credentials", json=body)
    await stranger.login(w.alice.user["username"] + "@example.org")
    await stranger.close()


@step("who is not logged in, or not to be understood, is refused with a problem")
async def bad_http(w):
    stranger = Rest(w.other)
    await stranger.refused("GET", "/api/me", 401, "unauthenticated")
    await stranger.refused("GET", "/api/me", 401, "unauthenticated", headers={"Authorization": "Bearer x.y.z"})
    await stranger.refused("GET", "/api/nowhere", 404, "not_found")
    await stranger.refused("DELETE", "/api/auth/login", 405, "method_not_allowed")
    typed = {"Content-Type": "application/json"}
    await stranger.refused("POST", "/api/auth/login", 400, "malformed", content=b"{", headers=typed)
    await stranger.refused("POST", "/api/auth/login", 415, "unsupported_media_type", content=b"hello")
    await stranger.refused("POST", "/api/auth/login", 413, "too_large", content=b"x" * 66_000, headers=typed)
    await stranger.close()


@step("a socket says hello and is welcome")
async def sockets(w):
    w.a = await Socket.open(w.base, w.alice.token, "alice-laptop")
    w.b = await Socket.open(w.other, w.bob.token, "bob-laptop")
    w.c = await Socket.open(w.other, w.carol.token, "carol-laptop")
    expect(w.a.welcome["userId"] == w.alice.user["id"], "welcome names the user")
    expect((await w.a.ask({"type": "ping"}))["type"] == "pong", "ping is answered by pong")


@step("a new group is announced to its members at once, and listed")
async def group(w):
    body = {"type": "group", "name": "Tour", "participantIds": [w.bob.user["id"]]}
    room = await w.alice.ok("POST", "/api/conversations", 201, json=body)
    w.room = room["id"]
    expect((room["role"], room["participantCount"]) == ("owner", 2), f"the creator owns the group: {room}")
    await w.b.until(
        lambda: any(f["conversation"]["id"] == w.room for f in w.b.of_type("conversation:added")),
        "conversation:added to the other member",
    )
    listed = await w.bob.ok("GET", "/api/conversations")
    expect(listed["items"][0]["id"] == w.room, "the newest conversation is listed first")
    whole = await w.bob.ok("GET", f"/api/conversations/{w.room}")
    members = {p["userId"]: p["role"] for p in whole["participants"]}
    expect(members == {w.alice.user["id"]: "owner", w.bob.user["id"]: "member"}, f"participants: {members}")


@step("a direct conversation exists once, whoever opens it")
async def direct(w):
    to_bob = {"type": "direct", "participantIds": [w.bob.user["id"]]}
    to_alice = {"type": "direct", "participantIds": [w.alice.user["id"]]}
    first = await w.alice.ok("POST", "/api/conversations", 201, json=to_bob)
    for rest, body in ((w.alice, to_bob), (w.bob, to_alice)):
        again = await rest.ok("POST", "/api/conversations", 200, json=body)
        expect(again["id"] == first["id"], "the same direct conversation")
    listed = (await w.bob.ok("GET", "/api/conversations"))["items"]
    both = {w.alice.user["id"], w.bob.user["id"]}
    found = next(item for item in listed if item["id"] == first["id"])
    expect({p["userId"] for p in found.get("participants", [])} == both, f"listed with its two people: {found}")
    group = next(item for item in listed if item["id"] == w.room)
    expect("participants" not in group and group["participantCount"] == 2, f"groups are listed without: {group}")


@step("a sent message is acked and shown to every device, the sender's own included")
async def send(w):
    ack = await w.a.post(w.room, "hello, Bob 👋", "first")
    expect(ack["duplicate"] is False, f"a first send is no duplicate: {ack}")
    w.sent.append(ack)
    for socket in (w.a, w.b):
        await socket.until_at(w.room, ack["seq"])
        message = socket.messages(w.room)[-1]
        expect(message["id"] == ack["messageId"] and message["seq"] == ack["seq"], f"shown as acked: {message}")
        expect(message["content"] == "hello, Bob 👋", f"shown as written: {message}")
        expect(message["clientId"] == "first" and message["senderId"] == w.alice.user["id"], f"{message}")


@step("a resent message keeps its place and is shown once")
async def resend(w):
    first = w.sent[0]
    for more in ({}, {"retry": True}):
        again = await w.a.post(w.room, "hello, Bob 👋", "first", **more)
        expect(again["duplicate"] is True, f"a resend is a duplicate: {again}")
        same = all(again[field] == first[field] for field in ("messageId", "seq"))
        expect(same, f"a resend has the first one's id and seq: {again} for {first}")
    # Another device may use the same clientId for a message of its own.
    other = await Socket.open(w.base, w.alice.token, "alice-phone")
    ack = await other.post(w.room, "from my phone", "first")
    expect(ack["duplicate"] is False and ack["seq"] > first["seq"], f"another device, another message: {ack}")
    w.sent.append(ack)
    await other.close()
    await w.b.until_at(w.room, ack["seq"])
    expect(len(w.b.messages(w.room)) == 2, "a resend was shown twice")


@step("an Idempotency-Key gives one message and the same answer")
async def idempotency(w):
    key = {"Idempotency-Key": uuid.uuid4().hex}
    body = {"conversationId": w.room, "content": "by HTTP"}
    first = await w.alice.call("POST", "/api/messages", json=body, headers=key)
    expect(first.status_code == 201, f"POST /api/messages: {first.status_code} {first.text}")
    expect("idempotency-replayed" not in first.headers, "a first answer is not a replay")
    again = await w.alice.call("POST", "/api/messages", json=body, headers=key)
    expect(again.status_code == 201 and again.json() == first.json(), f"a replay differs: {again.text}")
    expect(again.headers.get("idempotency-replayed") == "true", "a replay says so")
    other = {**body, "content": "something else"}
    await w.alice.refused("POST", "/api/messages", 422, "idempotency_mismatch", json=other, headers=key)
    # A refused attempt does not burn its key.
    key = {"Idempotency-Key": uuid.uuid4().hex}
    blank = {**body, "content": " "}
    await w.alice.refused("POST", "/api/messages", 422, "invalid", json=blank, headers=key)
    second = await w.alice.call("POST", "/api/messages", json=body, headers=key)
    expect(second.status_code == 201, f"a refused attempt burnt the key: {second.text}")
    for message in (first.json(), second.json()):
        w.sent.append({"seq": message["seq"], "messageId": message["id"]})
    await w.b.until_at(w.room, second.json()["seq"])
    expect(len(w.b.messages(w.room)) == 4, "two keys, two messages")


@step("history has a message as soon as it is acked")
async def read_your_writes(w):
    for number in range(50):
        ack = await w.a.post(w.room, f"write {number}")
        w.sent.append(ack)
        for rest in (w.alice, w.bob):
            query = {"conversationId": w.room, "limit": 1}
            page = await rest.ok("GET", "/api/messages", params=query)
            newest = page["items"][-1] if page["items"] else None
            expect(newest and newest["seq"] == ack["seq"], f"acked {ack['seq']}, history ends with {newest}")
            expect(newest["id"] == ack["messageId"] and newest["content"] == f"write {number}", f"{newest}")
            expect(page["headSeq"] >= ack["seq"] and page["hasMore"], f"{page}")


@step("pages before and after a seq meet without hole or overlap")
async def pages(w):
    seqs = [ack["seq"] for ack in w.sent]
    expect([m["seq"] for m in await w.bob.history(w.room)] == seqs, "history forwards is what was acked")
    backwards, before = [], None
    while True:
        query = {"conversationId": w.room, "limit": 7, **({"before": before} if before else {})}
        page = await w.bob.ok("GET", "/api/messages", params=query)
        backwards = [m["seq"] for m in page["items"]] + backwards
        if not page["hasMore"]:
            break
        before = page["items"][0]["seq"]
    expect(backwards == seqs, "history backwards is what was acked")
    both = {"conversationId": w.room, "before": 5, "after": 1}
    await w.bob.refused("GET", "/api/messages", 422, "invalid", params=both)


@step("for an outsider the conversation does not exist")
async def outsider(w):
    query = {"conversationId": w.room}
    await w.carol.refused("GET", f"/api/conversations/{w.room}", 404, "not_found")
    await w.carol.refused("GET", "/api/messages", 404, "not_found", params=query)
    await w.carol.refused("POST", "/api/messages", 404, "not_found", json={**query, "content": "let me in"})
    await w.carol.refused("POST", "/api/messages/read", 404, "not_found", json={**query, "seq": 1})
    place = {"conversationId": w.room}
    requests = [
        {"type": "send", **place, "content": "let me in", "clientId": "c"},
        {"type": "edit", **place, "seq": w.sent[0]["seq"], "content": "mine now"},
        {"type": "delete", **place, "seq": w.sent[0]["seq"]},
        {"type": "react", **place, "seq": w.sent[0]["seq"], "emoji": "👍", "on": True},
        {"type": "read", **place, "seq": 1},
    ]
    for request in requests:
        try:
            raise Broken(f"an outsider's {request['type']} was answered by {await w.c.ask(request)}")
        except Refused as refused:
            expect(refused.code == "not_found", f"an outsider's {request['type']}: {refused.frame}")
    await w.bob.refused("PATCH", f"/api/conversations/{w.room}", 403, "forbidden", json={"name": "Mine"})
    expect(not w.c.events, f"an outsider was shown {w.c.events[:1]}")


@step("1,000 messages from two sides: one order for all, no gap, no double")
async def thousand(w):
    async def chat(socket, who):
        window = asyncio.Semaphore(32)

        async def one(number):
            async with window:
                w.sent.append(await socket.post(w.room, f"{who} {number}"))

        await asyncio.gather(*(one(number) for number in range(500)))

    await asyncio.gather(chat(w.a, "alice"), chat(w.b, "bob"))
    w.sent.sort(key=lambda ack: ack["seq"])
    seqs = [ack["seq"] for ack in w.sent]
    expect(len(set(seqs)) == len(seqs), "two acks with one seq")
    for socket in (w.a, w.b):
        # The chain of prevSeq is checked with every event as it comes.
        await socket.until_at(w.room, seqs[-1])
        shown = [(m["seq"], m["id"]) for m in socket.messages(w.room)]
        expect(shown == [(ack["seq"], ack["messageId"]) for ack in w.sent], "shown is not what was acked")
    history = [(m["seq"], m["id"]) for m in await w.alice.history(w.room)]
    expect(history == [(ack["seq"], ack["messageId"]) for ack in w.sent], "history is not what was acked")


@step("resume gives exactly what was missed")
async def resume(w):
    epoch = w.b.welcome["epoch"]
    seqs = [ack["seq"] for ack in w.sent]
    held, missed = seqs[-401], seqs[-400:]

    async def check(socket):
        await socket.until(lambda: socket.of_type("resume:done"), "resume:done")
        expect([m["seq"] for m in socket.messages(w.room)] == missed, "resume gave something else than was missed")
        expect(not socket.gaps, f"400 missing events are no gap: {socket.gaps}")
        await socket.close()

    position = {"epoch": epoch, "positions": {w.room: held}}
    await check(await Socket.open(w.base, w.bob.token, "bob-phone", position))
    open_socket = await Socket.open(w.other, w.bob.token, "bob-tablet")
    open_socket.positions[w.room] = held
    await open_socket.connection.send(json.dumps({"type": "resume", "positions": {w.room: held}}))
    await check(open_socket)

    for what, place in (("too much", {"epoch": epoch, "positions": {w.room: seqs[0]}}),
                        ("another epoch", {"epoch": "never", "positions": {w.room: held}})):
        socket = await Socket.open(w.base, w.bob.token, "bob-watch", place)
        await socket.until(lambda: socket.of_type("resume:done"), "resume:done")
        gaps = socket.of_type("resume:gap", conversationId=w.room)
        expect(gaps and gaps[0]["headSeq"] >= seqs[-1], f"{what} missed: resume:gap expected, got {socket.frames[:2]}")
        await socket.close()


@step("reading only advances, and the others get a receipt")
async def reading(w):
    head = w.b.positions[w.room]
    await w.b.connection.send(json.dumps({"type": "read", "conversationId": w.room, "seq": head}))
    await w.b.until(lambda: w.b.of_type("read:ack", conversationId=w.room), "read:ack")
    answer = w.b.of_type("read:ack", conversationId=w.room)[-1]
    expect((answer["seq"], answer["unreadCount"]) == (head, 0), f"read to the head: {answer}")
    bob = w.bob.user["id"]
    await w.a.until(
        lambda: any(f["seq"] == head for f in w.a.of_type("read:receipt", conversationId=w.room, userId=bob)),
        "read:receipt to the other member",
    )
    body = {"conversationId": w.room, "seq": w.sent[0]["seq"]}
    answer = await w.bob.ok("POST", "/api/messages/read", json=body)
    expect((answer["seq"], answer["unreadCount"]) == (head, 0), f"a mark moved back: {answer}")
    for number in range(3):
        w.sent.append(await w.a.post(w.room, f"unread {number}"))
    unread = (await w.bob.ok("GET", f"/api/conversations/{w.room}"))["unreadCount"]
    expect(unread == 3, f"3 unread messages expected, got {unread}")


@step("edits, reactions and deletions are shown to all and are in history")
async def changes(w):
    target = await w.a.post(w.room, "frist")
    place = {"conversationId": w.room, "seq": target["seq"]}
    await w.a.ask({"type": "edit", **place, "content": "first"})
    await w.b.ask({"type": "react", **place, "emoji": "👍", "on": True})
    try:
        raise Broken(f"editing another user's message: {await w.b.ask({'type': 'edit', **place, 'content': 'x'})}")
    except Refused as refused:
        expect(refused.code == "forbidden", f"editing another user's message: {refused.frame}")
    for socket in (w.a, w.b):
        await socket.until(lambda: socket.of_type("reaction:changed", target=target["seq"]), "reaction:changed")
        edited = socket.of_type("message:edited", target=target["seq"])
        expect(edited and edited[0]["content"] == "first", f"message:edited: {edited}")
    page = await w.bob.ok("GET", "/api/messages", params={"conversationId": w.room, "limit": 1})
    now = page["items"][-1]
    expect((now["seq"], now["content"]) == (target["seq"], "first") and now["editedAt"], f"edited in history: {now}")
    reaction = {"emoji": "👍", "count": 1, "me": True, "userIds": [w.bob.user["id"]]}
    expect(now["reactions"] == [reaction], f"a reaction in history: {now['reactions']}")
    await w.a.ask({"type": "delete", **place})
    await w.b.until(lambda: w.b.of_type("message:deleted", target=target["seq"]), "message:deleted")
    page = await w.bob.ok("GET", "/api/messages", params={"conversationId": w.room, "limit": 1})
    now = page["items"][-1]
    expect(now["seq"] == target["seq"] and now["content"] is None and now["deletedAt"], f"deleted in history: {now}")
    w.sent.append(target)


@step("a new name is sent to all members and keeps the chain complete")
async def rename(w):
    await w.alice.ok("PATCH", f"/api/conversations/{w.room}", json={"name": "Renamed"})
    for socket in (w.a, w.b):
        await socket.until(lambda: socket.of_type("conversation:updated", name="Renamed"), "conversation:updated")
    w.sent.append(await w.b.post(w.room, "nice name"))
    await w.a.until_at(w.room, w.sent[-1]["seq"])


@step("a wrong frame is answered with an error, and the socket stays open")
async def bad_frames(w):
    place = {"conversationId": w.room}
    wrong = [
        ({"type": "nonsense"}, {"malformed", "invalid"}),
        ({"type": "send", **place, "clientId": "x"}, {"malformed", "invalid"}),
        ({"type": "send", **place, "content": " ", "clientId": "x"}, {"invalid"}),
        ({"type": "send", **place, "content": "x", "clientId": "with blank"}, {"invalid"}),
        ({"type": "send", **place, "content": "x" * 8_193, "clientId": "x"}, {"invalid", "too_large"}),
        ({"type": "send", "conversationId": "*", "content": "x", "clientId": "x"}, {"malformed", "invalid"}),
    ]
    for frame, codes in wrong:
        try:
            raise Broken(f"{str(frame)[:100]} was answered by {await w.a.ask(frame)}")
        except Refused as refused:
            expect(refused.code in codes, f"{str(frame)[:100]}: one of {codes} expected, got {refused.frame}")
    before = len(w.a.of_type("error"))
    for text in ("{", "[]", "null", "", '{"type":7}', '{"id":1}'):
        await w.a.connection.send(text)
        before += 1
        await w.a.until(lambda: len(w.a.of_type("error")) >= before, f"an error for {text!r}")
    await w.a.ask({"type": "ping"})


@step("a protocol violation closes the socket with its code")
async def bad_sockets(w):
    hello = json.dumps({"type": "hello", "token": w.alice.token, "deviceId": "d"})
    cases = [
        ("a bad token", '{"type":"hello","token":"no.such.token"}', 4001),
        ("no hello first", '{"type":"ping"}', 4001),
        ("a binary frame", b"\x00\x01", 4501),
        ("text that is not UTF-8", BadText(b'{"type":"ping","x":"\xff"}'), 4501),
        ("a frame of 65 KiB", json.dumps({"type": "ping", "x": "x" * 66_560}), 1009),
    ]
    for what, frame, code in cases:
        connection = await dial(w.base)
        if code != 4001:
            await connection.send(hello)
            await connection.recv()
        try:
            await connection.send(frame, text=isinstance(frame, (str, BadText)))
            await closes_with(connection, code)
        except (Broken, ConnectionClosed) as broken:
            raise Broken(f"{what}: {broken}") from None


@step("two tabs that renew at once get the same refresh token, and the session goes on")
async def refresh(w):
    dave = await Rest(w.other).register(name("dave"))
    used = {"refreshToken": dave.refresh_token}
    tabs = await asyncio.gather(*(dave.ok("POST", "/api/auth/refresh", json=used) for _ in range(2)))
    expect(tabs[0]["refreshToken"] == tabs[1]["refreshToken"] != dave.refresh_token, "one successor for both tabs")
    await dave.ok("POST", "/api/auth/refresh", json={"refreshToken": tabs[0]["refreshToken"]})
    await dave.close()


@step("a logged-out session loses its sockets within 2 s")
async def logout(w):
    await w.carol.ok("POST", "/api/auth/logout", 204)
    await w.c.until_closed(4500, patience=2.5)


import tour_people  # noqa: E402 F401 - its steps come here


@step("a socket without hello is closed within 10 s")
async def mute(w):
    connection, since = w.mute
    left = max(1.0, 12 - (time.monotonic() - since))
    await closes_with(connection, 4001, patience=left)


async def tour(base, other):
    world = World(base, other)
    for promise, check in STEPS:
        try:
            await check(world)
        except (Broken, Refused, ConnectionError, ConnectionClosed) as broken:
            print(f"BROKEN  {promise}\n        {broken}", flush=True)
            return 1
        print(f"ok      {promise}", flush=True)
    for socket in (world.a, world.b):
        await socket.close()
        expect(not socket.broken, socket.broken)
    for rest in (world.alice, world.bob, world.carol):
        await rest.close()
    print(f"{len(STEPS)} passed, 0 failed")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?", default=os.environ.get("NATTER_URL", "http://127.0.0.1:3000"))
    parser.add_argument("other", nargs="?", help="another node of the same deployment")
    parser.add_argument("--start", metavar="NATTER", help="a natter binary to start for the tour")
    args = parser.parse_args()
    if not args.start:
        return asyncio.run(tour(args.url, args.other or args.url))
    try:
        with running(args.start) as natter:
            status = asyncio.run(tour(natter.base, natter.base))
            if status:
                print(natter.tail())
            else:
                natter.stop()
            return status
    except Broken as broken:
        print(f"BROKEN  {broken}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
