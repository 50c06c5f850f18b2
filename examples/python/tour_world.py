"""What the steps of the tour share."""

import asyncio
import uuid

from natter_client import PATIENCE, Broken, Refused, Rest, Socket, expect

STEPS = []


def step(promise):
    def register(function):
        STEPS.append((promise, function))
        return function

    return register


class World:
    """Two members of a group, and one person outside. Alice is on one node; everyone else is on `other`, which may
    be the same."""

    def __init__(self, base, other):
        self.base, self.other = base, other
        self.alice, self.bob, self.carol = Rest(base), Rest(other), Rest(other)
        self.a = self.b = self.c = None  # their sockets
        self.room = None
        self.sent = []  # acks of every message in the room
        self.mute = None  # a socket that never says hello

    async def newcomer(self, who, base=None):
        """A new person with a socket, on the other node unless one is named."""
        rest = await Rest(base or self.other).register(name(who))
        return rest, await Socket.open(rest.base, rest.token, f"{who}-laptop")


def name(who):
    return f"{who}-{uuid.uuid4().hex[:12]}"


def at(rest, base):
    """The same session, spoken to at another node."""
    there = Rest(base)
    there.user, there.token = rest.user, rest.token
    return there


async def eventually(holds, what, patience=PATIENCE):
    """For what a node learns from another within a moment, and no frame shows."""
    end = asyncio.get_running_loop().time() + patience
    while not await holds():
        if asyncio.get_running_loop().time() > end:
            raise Broken(f"{what}: not within {patience:.0f} s")
        await asyncio.sleep(0.05)


async def refused_with(socket, frame, code):
    """A request of a socket has to be refused with this code."""
    try:
        raise Broken(f"{str(frame)[:100]} was answered by {await socket.ask(frame)}")
    except Refused as refused:
        expect(refused.code == code, f"{str(frame)[:100]}: {code} expected, got {refused.frame}")
