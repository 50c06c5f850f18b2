"""The tour's steps about people: profiles, who is in a group, who is blocked, what is unread, who is there."""

import asyncio
import json
import time

from natter_client import Rest, Socket, expect
from tour_world import at, eventually, name, refused_with, step


@step("people show, find and change their profiles; a new password ends the other sessions")
async def profiles(w):
    dora, socket = await w.newcomer("dora")
    me = await dora.ok("GET", "/api/me")
    expect(me["username"] == dora.user["username"] and "@" in me["email"], f"one's own profile: {me}")
    me = await dora.ok("PATCH", "/api/me", json={"displayName": "Dora the Tourist"})
    expect(me["displayName"] == "Dora the Tourist", f"a new display name: {me}")
    found = await w.alice.ok("GET", "/api/users", params={"query": dora.user["username"][:12], "limit": 5})
    expect(dora.user["id"] in [user["id"] for user in found["items"]], f"found by the start of the name: {found}")
    seen = await w.alice.ok("GET", f"/api/users/{dora.user['id']}")
    expect(seen["displayName"] == "Dora the Tourist" and "email" not in seen, f"a public profile: {seen}")

    other = await Rest(w.base).login(dora.user["username"])
    change = {"current": "wrong horse", "next": "a longer password"}
    await dora.refused("POST", "/api/me/password", 401, "bad_credentials", json=change)
    change["current"] = "correct horse battery"
    await dora.ok("POST", "/api/me/password", 204, json=change)
    used = {"refreshToken": other.refresh_token}
    await Rest(w.base).refused("POST", "/api/auth/refresh", 401, "unauthenticated", json=used)
    again = await Rest(w.other).login(dora.user["username"], "a longer password")
    second = await Socket.open(w.other, again.token, "dora-phone")
    await again.ok("POST", "/api/auth/logout-all", 204)
    for open_socket in (socket, second):
        await open_socket.until_closed(4500, patience=2.5)


@step("a socket takes a new token before the old one expires")
async def renewal(w):
    erik, socket = await w.newcomer("erik")
    fresh = await erik.ok("POST", "/api/auth/refresh", json={"refreshToken": erik.refresh_token})
    expect((await socket.ask({"type": "token", "token": fresh["token"]}))["type"] == "ack", "token is acked")
    await refused_with(socket, {"type": "token", "token": w.alice.token}, "forbidden")
    await socket.close()


@step("a message is edited, reacted to and deleted over HTTP as well")
async def moderation(w):
    ack = await w.a.post(w.room, "ovre HTTP")
    path = f"/api/conversations/{w.room}/messages/{ack['seq']}"
    edited = await w.alice.ok("PATCH", path, json={"content": "over HTTP"})
    expect(edited["content"] == "over HTTP" and edited["editedAt"], f"an edit answers with the message: {edited}")
    await w.bob.refused("PATCH", path, 403, "forbidden", json={"content": "mine"})
    for _ in range(2):
        await w.bob.ok("PUT", f"{path}/reactions/🎉", 204)
    await w.bob.refused("PUT", f"{path}/reactions/party", 422, "invalid")
    for emoji, on in (("🎉", True), ("🎉", False)):
        if not on:
            await w.bob.ok("DELETE", f"{path}/reactions/{emoji}", 204)
        page = await w.bob.ok("GET", "/api/messages", params={"conversationId": w.room, "limit": 1})
        reactions = page["items"][-1]["reactions"]
        expect([r["emoji"] for r in reactions] == ([emoji] if on else []), f"reactions in history: {reactions}")
    # Deleted by its author; admins and the owner may, too.
    await w.bob.refused("DELETE", path, 403, "forbidden")
    await w.alice.ok("DELETE", path, 204)
    await w.b.until(lambda: w.b.of_type("message:deleted", target=ack["seq"]), "message:deleted")
    w.sent.append(ack)


@step("the inbox has what is unread, and nothing else")
async def inbox(w):
    body = {"type": "group", "name": "Inbox", "participantIds": [w.bob.user["id"]]}
    room = (await w.alice.ok("POST", "/api/conversations", 201, json=body))["id"]

    async def of_bob():
        found = await w.bob.ok("GET", "/api/inbox")
        expect(found["totalUnread"] == sum(i["unreadCount"] for i in found["items"]), f"the sum is right: {found}")
        expect(all(item["unreadCount"] > 0 for item in found["items"]), f"only what is unread: {found}")
        return next((item for item in found["items"] if item["conversationId"] == room), None)

    expect(await of_bob() is None, "a conversation without messages is not in the inbox")
    for number in (1, 2):
        ack = await w.a.post(room, f"for your inbox {number}")
        item = await of_bob()
        expect(item and item["unreadCount"] == number, f"{number} unread expected: {item}")
        expect(item["lastMessage"]["id"] == ack["messageId"], f"with the last message: {item}")
        expect(item["headSeq"] >= ack["seq"] > item["readSeq"], f"with the positions: {item}")
    marked = await w.b.ask({"type": "read", "conversationId": room, "seq": ack["seq"]})
    expect(marked["type"] == "read:ack" and marked["unreadCount"] == 0, f"read to the end: {marked}")
    expect(await of_bob() is None, "what was read leaves the inbox")


@step("owner and admins add people, who may read the past and have none of it unread")
async def adding(w):
    w.dora, w.d = await w.newcomer("dora")
    body = {"type": "group", "name": "Members", "participantIds": [w.bob.user["id"]]}
    w.group = (await w.alice.ok("POST", "/api/conversations", 201, json=body))["id"]
    past = await w.a.post(w.group, "before Dora came")
    add = {"userIds": [w.dora.user["id"]]}
    w.members = f"/api/conversations/{w.group}/participants"
    await w.bob.refused("POST", w.members, 403, "forbidden", json=add)
    await w.dora.refused("POST", w.members, 404, "not_found", json=add)
    for _ in range(2):
        room = await w.alice.ok("POST", w.members, json=add)
        expect(room["participantCount"] == 3 == len(room["participants"]), f"added once: {room}")
    added = lambda: [f for f in w.d.of_type("conversation:added") if f["conversation"]["id"] == w.group]
    await w.d.until(added, "conversation:added to the new member")
    await w.b.until(lambda: w.b.of_type("member:changed", conversationId=w.group, userId=w.dora.user["id"]),
                    "member:changed to the others")
    expect([m["seq"] for m in await w.dora.history(w.group)] == [past["seq"]], "the past can be read")
    room = await w.dora.ok("GET", f"/api/conversations/{w.group}")
    expect(room["unreadCount"] == 0 and room["role"] == "member", f"none of it is unread: {room}")
    ack = await w.a.post(w.group, "welcome, Dora")
    await w.d.until_at(w.group, ack["seq"])


@step("only the owner changes roles; admins remove members; who is removed gets nothing more")
async def roles(w):
    alice, bob, dora = (rest.user["id"] for rest in (w.alice, w.bob, w.dora))
    await w.bob.refused("PATCH", f"{w.members}/{dora}", 403, "forbidden", json={"role": "admin"})
    await w.bob.refused("DELETE", f"{w.members}/{dora}", 403, "forbidden")
    await w.alice.refused("PATCH", f"{w.members}/{alice}", 409, "conflict", json={"role": "member"})
    await w.alice.refused("PATCH", f"{w.members}/{bob}", 422, "invalid", json={"role": "king"})
    room = await w.alice.ok("PATCH", f"{w.members}/{bob}", json={"role": "admin"})
    expect(role_of(room, bob) == "admin", f"a new role: {room['participants']}")
    await w.d.until(lambda: w.d.of_type("member:changed", conversationId=w.group, userId=bob, role="admin"),
                    "member:changed with the role")
    await w.bob.refused("PATCH", f"{w.members}/{dora}", 403, "forbidden", json={"role": "admin"})
    await w.bob.refused("DELETE", f"{w.members}/{alice}", 403, "forbidden")

    await w.bob.ok("DELETE", f"{w.members}/{dora}", 204)
    await w.d.until(lambda: w.d.of_type("conversation:removed", conversationId=w.group), "conversation:removed", 2.5)
    held = w.d.positions[w.group]
    ack = await w.a.post(w.group, "without Dora")
    await w.b.until_at(w.group, ack["seq"])
    await w.d.ask({"type": "ping"})
    expect(w.d.positions[w.group] == held, "a removed member was shown more")
    await w.dora.refused("GET", f"/api/conversations/{w.group}", 404, "not_found")
    await refused_with(w.d, {"type": "send", "conversationId": w.group, "content": "x", "clientId": "x"}, "not_found")
    await w.alice.refused("DELETE", f"{w.members}/{dora}", 404, "not_found")


@step("a group is never without its owner, whoever leaves")
async def leaving(w):
    alice, bob, dora = (rest.user["id"] for rest in (w.alice, w.bob, w.dora))
    room = await w.alice.ok("PATCH", f"{w.members}/{bob}", json={"role": "owner"})
    both = (role_of(room, bob), role_of(room, alice))
    expect(both == ("owner", "admin"), f"the old owner becomes an admin: {room['participants']}")
    await w.bob.ok("POST", w.members, json={"userIds": [dora]})
    await w.bob.ok("DELETE", f"{w.members}/{bob}", 204)
    await w.b.until(lambda: w.b.of_type("conversation:removed", conversationId=w.group), "conversation:removed")
    room = await w.alice.ok("GET", f"/api/conversations/{w.group}")
    expect(role_of(room, alice) == "owner" and room["participantCount"] == 2, f"the admin inherits: {room}")
    await w.alice.ok("DELETE", f"{w.members}/{alice}", 204)
    room = await w.dora.ok("GET", f"/api/conversations/{w.group}")
    expect(room["role"] == "owner" and room["participantCount"] == 1, f"then the member: {room}")


def role_of(room, user):
    return next((p["role"] for p in room["participants"] if p["userId"] == user), None)


@step("a block closes the direct conversation for both sides, and nothing else")
async def blocks(w):
    alice, bob = w.alice.user["id"], w.bob.user["id"]
    to_bob = {"type": "direct", "participantIds": [bob]}
    direct = (await w.alice.ok("POST", "/api/conversations", 200, json=to_bob))["id"]
    mine = await w.a.post(direct, "before the block")
    await w.bob.refused("PUT", f"/api/blocks/{bob}", 422, "invalid")
    await w.bob.refused("PUT", f"/api/blocks/{direct}", 404, "not_found")
    for _ in range(2):
        await w.bob.ok("PUT", f"/api/blocks/{alice}", 204)
    blocked = await w.bob.ok("GET", "/api/blocks")
    expect([user["id"] for user in blocked["items"]] == [alice], f"one's own blocks: {blocked}")
    expect(not (await w.alice.ok("GET", "/api/blocks"))["items"], "who is blocked does not see it listed")

    async def closed(rest):
        body = {"conversationId": direct, "content": "let me through"}
        return (await rest.call("POST", "/api/messages", json=body)).status_code == 403

    await eventually(lambda: closed(w.alice), "the blocked one's message is refused", 2.5)
    await eventually(lambda: closed(w.bob), "and the other one's", 2.5)
    place = {"conversationId": direct, "seq": mine["seq"]}
    await refused_with(w.a, {"type": "edit", **place, "content": "changed"}, "forbidden")
    await refused_with(w.b, {"type": "react", **place, "emoji": "👍", "on": True}, "forbidden")
    await w.alice.refused("POST", "/api/conversations", 403, "forbidden", json=to_bob)
    await w.a.ask({"type": "delete", **place})
    w.sent.append(await w.a.post(w.room, "in the group we still talk"))
    await w.b.until_at(w.room, w.sent[-1]["seq"])

    await w.bob.ok("DELETE", f"/api/blocks/{alice}", 204)
    await eventually(lambda: opened(w.alice, direct), "unblocked, it is open again", 2.5)


async def opened(rest, conversation):
    body = {"conversationId": conversation, "content": "hello again"}
    return (await rest.call("POST", "/api/messages", json=body)).status_code == 201


@step("presence is visible to users who share a conversation, and sent to those who joined it")
async def presence(w):
    eve = await Rest(w.other).register(name("eve"))
    id = eve.user["id"]
    body = {"type": "group", "name": "Presence", "participantIds": [w.bob.user["id"], id]}
    w.meeting = (await w.alice.ok("POST", "/api/conversations", 201, json=body))["id"]

    async def status(of, rest=w.alice):
        return await rest.ok("GET", f"/api/presence/status/{of}")

    seen = await status(id)
    expect((seen["status"], seen["lastSeenAt"]) == ("offline", None), f"never seen: {seen}")
    joined = await w.a.ask({"type": "join", "conversationId": w.meeting})
    expect(joined["type"] == "joined" and "readSeq" in joined, f"joined: {joined}")
    expect(joined["headSeq"] > 0 and w.bob.user["id"] in joined["online"], f"who is online already: {joined}")
    expect(id not in joined["online"], f"and who is not: {joined}")

    socket = await Socket.open(w.other, eve.token, "eve-laptop")
    sent = lambda status: w.a.of_type("presence", userId=id, status=status)
    await w.a.until(lambda: sent("online"), "presence online")
    await eventually(lambda: is_online(w.alice, id), "online by HTTP, too")
    stranger = await status(id, w.dora)
    expect((stranger["status"], stranger["lastSeenAt"]) == ("offline", None), f"to a stranger: {stranger}")
    asked = [w.dora.user["id"], id, w.bob.user["id"]]
    batch = await w.alice.ok("POST", "/api/presence/status/batch", json={"userIds": asked})
    expect([v["userId"] for v in batch["items"]] == asked, f"in the order asked: {batch}")
    expect(batch["items"][1]["status"] == batch["items"][2]["status"] == "online", f"both online: {batch}")
    many = {"userIds": asked * 67}
    await w.alice.refused("POST", "/api/presence/status/batch", 422, "invalid", json=many)

    await socket.close()
    await w.a.until(lambda: sent("offline"), "presence offline", 60)
    online, offline = sent("online")[-1], sent("offline")[-1]
    expect(offline["version"] > online["version"], f"a later word has a higher version: {online}, {offline}")
    expect((await status(id))["lastSeenAt"], "when they were last seen")
    await eve.ok("POST", "/api/presence/heartbeat", 204)
    await eventually(lambda: is_online(w.alice, id), "a heartbeat by HTTP keeps a user online")
    await eve.close()


async def is_online(rest, user):
    return (await rest.ok("GET", f"/api/presence/status/{user}"))["status"] == "online"


@step("typing is shown to the others who joined, ends by itself, and stops with leave")
async def typing(w):
    place = {"conversationId": w.meeting}
    before = len(w.b.of_type("error", code="forbidden"))
    await say(w.b, {"type": "typing", **place, "isTyping": True})
    await w.b.until(lambda: len(w.b.of_type("error", code="forbidden")) > before, "typing needs a join")
    await w.b.ask({"type": "join", **place})
    alice = w.alice.user["id"]
    shown = lambda on: w.b.of_type("typing", **place, userId=alice, isTyping=on)

    await say(w.a, {"type": "typing", **place, "isTyping": True})
    await w.b.until(lambda: shown(True), "typing")
    begun = time.monotonic()
    await w.b.until(lambda: shown(False), "typing ends", 8)
    expect(time.monotonic() - begun > 4, "and not at once")
    await say(w.a, {"type": "typing", **place, "isTyping": True})
    await w.b.until(lambda: len(shown(True)) == 2, "typing again")
    await say(w.a, {"type": "typing", **place, "isTyping": False})
    await w.b.until(lambda: len(shown(False)) == 2, "the end of typing is sent")
    expect(not w.a.of_type("typing"), "one's own typing is not shown to oneself")

    expect((await w.b.ask({"type": "leave", **place}))["type"] == "ack", "leave with an id is acked")
    await asyncio.sleep(2)  # typing is passed on at most that often
    await say(w.a, {"type": "typing", **place, "isTyping": True})
    ack = await w.a.post(w.meeting, "messages need no join")
    await w.b.until_at(w.meeting, ack["seq"])
    expect(len(shown(True)) == 2, "typing was shown to a user who left")


async def say(socket, frame):
    await socket.connection.send(json.dumps(frame))


@step("a key used at one node is known at the other")
async def other_node(w):
    there = at(w.alice, w.other)
    key, body = {"Idempotency-Key": name("key")}, {"conversationId": w.room, "content": "once"}
    first = await w.alice.call("POST", "/api/messages", json=body, headers=key)
    again = await there.call("POST", "/api/messages", json=body, headers=key)
    expect(first.status_code == again.status_code == 201, f"{first.text} {again.text}")
    expect(again.json() == first.json() and again.headers.get("idempotency-replayed") == "true", "a replay")
    w.sent.append({"seq": first.json()["seq"], "messageId": first.json()["id"]})
    ack = await w.a.post(w.room, "twice", "moved")
    moved = await Socket.open(w.other, w.alice.token, "alice-laptop")
    same = await moved.post(w.room, "twice", "moved", retry=True)
    expect(same["seq"] == ack["seq"] and same["duplicate"], f"a device that moved: {same} for {ack}")
    w.sent.append(ack)
    await moved.close()
    await there.close()


@step("the heads of what was joined come with every heartbeat")
async def heads(w):
    latest = lambda: [f["positions"].get(w.meeting) for f in w.a.of_type("heads")]
    await w.a.until(lambda: w.a.positions[w.meeting] in latest(), "heads", w.a.welcome["heartbeatMs"] / 1000 + 5)
    for rest, socket in ((w.dora, w.d),):
        await socket.close()
        await rest.close()
