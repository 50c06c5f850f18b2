"""kill -9 in the middle of a conversation: what was acked is kept, once, under its seq.

    crash.py target/release/natter [--rounds 3]

Starts `natter dev` itself. In turn it kills natter together with its nats-server, natter alone, and the
nats-server alone, always while two people write; starts again what is gone; resends what was not acked; and
compares history and resume with what was promised. Exits with 1 at the first promise that is not kept.
"""

import argparse
import asyncio
import contextlib
import itertools
import logging
import sys
import uuid

from natter_client import Broken, ConnectionClosed, Refused, Rest, Socket, expect
from natter_process import running

WINDOW = 16  # messages under way per person
ACKS_BEFORE_THE_KILL = 300
PASSWORD = "correct horse battery"


class Person:
    """Writes without end; keeps what was acked, and what was sent without an answer."""

    def __init__(self, base, who):
        self.rest, self.device = Rest(base), f"{who}-device"
        self.username = f"{who}-{uuid.uuid4().hex[:12]}"
        self.socket = None
        self.acked, self.unanswered = {}, {}
        self.numbers = itertools.count()
        self.another_ack, self.resting = asyncio.Event(), False

    async def connect(self, resume=None):
        self.socket = await Socket.open(self.rest.base, self.rest.token, self.device, resume)

    async def post(self, room, client_id, content, **more):
        self.unanswered[client_id] = content
        ack = await self.socket.post(room, content, client_id, **more)
        earlier = self.acked.setdefault(client_id, ack)
        same = (earlier["seq"], earlier["messageId"]) == (ack["seq"], ack["messageId"])
        expect(same, f"two acks for one message: {earlier} and {ack}")
        del self.unanswered[client_id]
        self.another_ack.set()

    async def until_acked(self, count):
        while len(self.acked) < count:
            self.another_ack.clear()
            await self.another_ack.wait()

    async def chatter(self, room):
        """Until it is to rest, the socket breaks or a request is refused: nothing was promised for those."""
        with contextlib.suppress(ConnectionError, ConnectionClosed, Refused):
            while not self.resting:
                number = next(self.numbers)
                await self.post(room, f"m-{number}", f"{self.username} says {number}")

    async def resend(self, room):
        """Again what had no answer, with the same ids."""
        for client_id, content in list(self.unanswered.items()):
            await self.post(room, client_id, content, retry=True)


async def crash_round(natter, people, room, kind):
    for person in people:
        person.resting = False
    writers = [asyncio.create_task(p.chatter(room)) for p in people for _ in range(WINDOW)]
    enough = asyncio.gather(*(p.until_acked(len(p.acked) + ACKS_BEFORE_THE_KILL) for p in people))
    try:
        await asyncio.wait_for(enough, 60)
    except asyncio.TimeoutError:
        raise Broken(f"{ACKS_BEFORE_THE_KILL} messages a person are not acked within 60 s") from None

    if kind == "nats-server":
        natter.kill_nats_server()
        # The sockets may live on: messages under way are acked late or refused, others follow.
        await keep_writing(people, room)
        for person in people:
            person.resting = True
    else:
        natter.kill(nats_server_too=kind == "both")
    for outcome in await asyncio.gather(*writers, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
    if kind != "nats-server":
        natter.start()
    await come_back(people, room)


async def keep_writing(people, room):
    """Service goes on by itself: more messages are acked within a minute."""
    targets = [len(person.acked) + ACKS_BEFORE_THE_KILL for person in people]
    end = asyncio.get_running_loop().time() + 60
    for person, target in zip(people, targets):
        while len(person.acked) < target:
            expect(asyncio.get_running_loop().time() < end, "no messages are acked 60 s after nats-server was killed")
            if person.socket.closed is not None:
                await person.connect(position(person, room))
            number = next(person.numbers)
            with contextlib.suppress(ConnectionError, ConnectionClosed, Refused):
                await person.post(room, f"m-{number}", f"{person.username} says {number}")


def position(person, room):
    return {"epoch": person.socket.welcome["epoch"], "positions": {room: person.socket.positions[room]}}


async def come_back(people, room):
    """Everybody reconnects, resumes where they were, and sends again what had no answer."""
    for person in people:
        await person.rest.login(person.username, PASSWORD)
        held = position(person, room)
        epoch, before = held["epoch"], held["positions"][room]
        await person.socket.close()
        expect(not person.socket.broken, person.socket.broken)
        await person.connect(held)
        expect(person.socket.welcome["epoch"] == epoch, "the epoch changed though the log was not rebuilt")
        await person.socket.until(lambda: person.socket.of_type("resume:done"), "resume:done", 60)
        resumed = [m["seq"] for m in person.socket.messages(room)]
        if person.socket.gaps:
            continue
        later = [m["seq"] for m in await person.rest.history(room, before)]
        expect(resumed == later[: len(resumed)], "resume gave something else than history has")
    for person in people:
        await person.resend(room)
    await compare(people, room)


async def compare(people, room):
    """History has every acked message once, under its seq; both sockets are where it ends."""
    for reader in people:
        history = await reader.rest.history(room)
        by_id = {message["id"]: message for message in history}
        expect(len(by_id) == len(history), "a message is twice in history")
        contents = [message["content"] for message in history]
        expect(len(set(contents)) == len(contents), "a resent message is twice in history")
        acked = [(person, ack) for person in people for ack in person.acked.values()]
        for person, ack in acked:
            kept = by_id.get(ack["messageId"])
            expect(kept, f"acked and lost: {ack}")
            expect(kept["seq"] == ack["seq"], f"acked at {ack['seq']}, kept at {kept['seq']}")
            expect(kept["senderId"] == person.rest.user["id"], f"kept as another's: {kept}")
        expect(len(history) == len(acked), f"{len(acked)} messages acked, {len(history)} in history")
        await reader.socket.until_at(room, history[-1]["seq"])


async def crash(natter, rounds):
    people = [Person(natter.base, "alice"), Person(natter.base, "bob")]
    for person in people:
        await person.rest.register(person.username, PASSWORD)
    body = {"type": "group", "name": "Crash", "participantIds": [people[1].rest.user["id"]]}
    room = await people[0].rest.ok("POST", "/api/conversations", 201, json=body)
    for person in people:
        await person.connect()
        person.socket.positions[room["id"]] = room["headSeq"]
    for number, kind in zip(range(rounds), itertools.cycle(("both", "natter", "nats-server"))):
        await crash_round(natter, people, room["id"], kind)
        acked = sum(len(person.acked) for person in people)
        print(f"ok      round {number + 1}: killed {kind}; {acked} acked so far, all kept once", flush=True)
    for person in people:
        await person.socket.close()
        await person.rest.close()
    print(f"{rounds} passed, 0 failed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", help="the natter binary")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    # Writing to a killed server is the point of this test, not worth a warning.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    try:
        with running(args.binary) as natter:
            try:
                asyncio.run(crash(natter, args.rounds))
                natter.stop()
            except (Broken, Refused, ConnectionError, ConnectionClosed):
                print(natter.tail())
                raise
    except (Broken, Refused, ConnectionError, ConnectionClosed) as broken:
        print(f"BROKEN  {broken}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
