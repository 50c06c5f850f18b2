"""A small client of Natter, written from docs/protocol.md alone: HTTP by httpx, sockets by websockets.

It keeps the books a good client keeps (a position per conversation, every event chained to the one before)
and complains as soon as the server breaks a promise.
"""

import asyncio
import json
import uuid

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

PATIENCE = 15.0
RATE_LIMIT_ATTEMPTS = 100


class Broken(Exception):
    """A promise of the contract that was not kept."""


def expect(holds, promise):
    if not holds:
        raise Broken(promise)


class Rest:
    """HTTP, as one user or without a log-in."""

    def __init__(self, base):
        self.base = base.rstrip("/")
        # A proxy of the environment has no business with a server on this machine.
        self.http = httpx.AsyncClient(base_url=self.base, timeout=30, trust_env=False)
        self.user = self.token = self.refresh_token = None

    async def call(self, method, path, *, json=None, headers=None, **more):
        """One request; waits as long as the server asks for."""
        headers = dict(headers or {})
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        for _ in range(RATE_LIMIT_ATTEMPTS):
            answer = await self.http.request(method, path, json=json, headers=headers, **more)
            expect(answer.headers.get("x-request-id"), f"{method} {path}: no X-Request-Id")
            if answer.status_code != 429:
                return answer
            expect("retry-after" in answer.headers, f"{method} {path}: 429 without Retry-After")
            await asyncio.sleep(float(answer.headers["retry-after"]))
        raise Broken(f"{method} {path}: still rate limited after {RATE_LIMIT_ATTEMPTS} attempts")

    async def ok(self, method, path, status=200, **more):
        answer = await self.call(method, path, **more)
        expect(answer.status_code == status, f"{method} {path}: {status} expected, got {show(answer)}")
        return answer.json() if answer.content else None

    async def refused(self, method, path, status, code, **more):
        """The same call has to be refused, as problem details with this status and code."""
        answer = await self.call(method, path, **more)
        expect(answer.status_code == status, f"{method} {path}: {status} {code} expected, got {show(answer)}")
        kind = answer.headers.get("content-type", "")
        expect(kind.startswith("application/problem+json"), f"{method} {path}: content type {kind}")
        problem = answer.json()
        for field in ("type", "title", "status", "detail", "code", "requestId"):
            expect(field in problem, f"{method} {path}: problem without {field}: {problem}")
        expect(problem["code"] == code, f"{method} {path}: code {code} expected, got {problem}")
        expect(problem["status"] == status, f"{method} {path}: status {status} expected, got {problem}")
        return problem

    async def register(self, username, password="correct horse battery"):
        body = {"username": username, "email": f"{username}@example.org", "password": password}
        return self._opened(await self.ok("POST", "/api/auth/register", 201, json=body))

    async def login(self, login, password="correct horse battery"):
        return self._opened(await self.ok("POST", "/api/auth/login", json={"login": login, "password": password}))

    def _opened(self, session):
        for field in ("user", "token", "refreshToken", "expiresIn"):
            expect(field in session, f"a session without {field}")
        self.user, self.token, self.refresh_token = session["user"], session["token"], session["refreshToken"]
        return self

    async def history(self, conversation, after=0):
        """Every message after a seq, page by page, ascending."""
        messages = []
        while True:
            query = {"conversationId": conversation, "after": after, "limit": 100}
            page = await self.ok("GET", "/api/messages", params=query)
            seqs = [message["seq"] for message in page["items"]]
            expect(seqs == sorted(set(seqs)), f"a page out of order: {seqs}")
            expect(not seqs or seqs[0] > after, f"a page after {after} begins at {seqs[:1]}")
            messages += page["items"]
            if not page["hasMore"]:
                return messages
            expect(seqs, "an empty page that promises more")
            after = seqs[-1]

    async def close(self):
        await self.http.aclose()


class Refused(Exception):
    """An `error` frame as the answer to a request."""

    def __init__(self, frame):
        super().__init__(f"{frame['code']}: {frame['message']}")
        self.frame, self.code = frame, frame["code"]


class Socket:
    """One socket of one device. `events` holds what it was shown, in order; `positions` where it is."""

    def __init__(self, connection, welcome, positions):
        self.connection, self.welcome, self.positions = connection, welcome, dict(positions)
        self.frames, self.events, self.gaps = [], [], []
        self.closed = self.broken = None
        self._waiting, self._next_id = {}, 1
        self._changed = asyncio.Condition()
        self._patience = asyncio.Lock()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, base, token, device, resume=None):
        connection = await dial(base)
        hello = {"type": "hello", "token": token, "deviceId": device}
        if resume:
            hello["resume"] = resume
        await connection.send(json.dumps(hello))
        try:
            welcome = json.loads(await asyncio.wait_for(connection.recv(), PATIENCE))
        except ConnectionClosed as closed:
            raise Broken(f"hello was answered by close {close_code(closed)}") from closed
        expect(welcome["type"] == "welcome", f"welcome expected, got {welcome}")
        for field in ("userId", "sessionId", "deviceId", "epoch", "heartbeatMs", "serverTime", "limits"):
            expect(field in welcome, f"welcome without {field}")
        expect(welcome["deviceId"] == device, f"welcome for another device: {welcome['deviceId']}")
        return cls(connection, welcome, resume["positions"] if resume else {})

    async def _read(self):
        try:
            async for text in self.connection:
                expect(isinstance(text, str), "a binary frame from the server")
                frame = json.loads(text)
                expect(next(iter(frame), None) == "type", f"type is not the first field: {text[:80]}")
                self._take(frame)
                await self._wake()
            self.closed = self.connection.close_code
        except ConnectionClosed as closed:
            self.closed = close_code(closed)
        except Broken as broken:
            self.broken = broken
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(self.broken or ConnectionError(f"closed with {self.closed}"))
                # Its caller may have stopped waiting: that is no news for the event loop.
                waiting.exception()
        await self._wake()

    async def _wake(self):
        async with self._changed:
            self._changed.notify_all()

    def _take(self, frame):
        self.frames.append(frame)
        if "prevSeq" in frame:
            self._chain(frame)
        if frame["type"] == "resume:gap":
            self.gaps.append(frame)
            self.positions[frame["conversationId"]] = frame["headSeq"]
        waiting = self._waiting.pop(frame.get("id"), None) if frame.get("id") is not None else None
        if waiting and not waiting.done():
            if frame["type"] == "error":
                waiting.set_exception(Refused(frame))
            else:
                waiting.set_result(frame)

    def _chain(self, event):
        conversation, seq, prev = event["conversationId"], event["seq"], event["prevSeq"]
        held = self.positions.get(conversation)
        if held is not None:
            expect(seq > held, f"seq {seq} after {held} in {conversation}: a double or out of order")
            expect(prev == held, f"a gap in {conversation}: held {held}, got {seq} with prevSeq {prev}")
        self.positions[conversation] = seq
        self.events.append(event)

    async def until(self, holds, what, patience=PATIENCE):
        """Waits for a condition on what was received; never sleeps."""

        async def wait():
            async with self._changed:
                await self._changed.wait_for(lambda: self.broken or holds() or self.closed is not None)

        try:
            await asyncio.wait_for(wait(), patience)
        except asyncio.TimeoutError:
            raise Broken(f"{what}: not within {patience:.0f} s; last frames: {self.frames[-3:]}") from None
        if self.broken:
            raise self.broken
        expect(holds(), f"{what}: the socket closed with {self.closed} first")

    async def ask(self, frame, patience=40.0):
        """Sends a request and waits for its answer; an `error` raises Refused."""
        if self.broken:
            raise self.broken
        request, self._next_id = self._next_id, self._next_id + 1
        answer = asyncio.get_running_loop().create_future()
        self._waiting[request] = answer
        try:
            await self.connection.send(json.dumps({**frame, "id": request}))
        except ConnectionClosed as closed:
            raise ConnectionError(f"closed with {close_code(closed)}") from closed
        try:
            return await asyncio.wait_for(answer, patience)
        except asyncio.TimeoutError:
            raise Broken(f"{frame['type']} was not answered within {patience:.0f} s") from None

    async def post(self, conversation, content, client_id=None, **more):
        """Sends a message until it is acked, waiting as asked when there were too many."""
        client_id = client_id or uuid.uuid4().hex
        frame = {"type": "send", "conversationId": conversation, "content": content, "clientId": client_id, **more}
        ack, wait = await self._try(frame)
        if ack is None:
            # One at a time: many that come back at once would be too many frames.
            async with self._patience:
                for _ in range(RATE_LIMIT_ATTEMPTS):
                    await asyncio.sleep(wait)
                    ack, wait = await self._try(frame)
                    if ack:
                        break
        expect(ack, f"still rate limited after {RATE_LIMIT_ATTEMPTS} attempts")
        expect(ack["type"] == "ack", f"ack expected, got {ack}")
        for field in ("conversationId", "messageId", "clientId", "seq", "createdAt", "duplicate"):
            expect(field in ack, f"ack without {field}: {ack}")
        expect(ack["clientId"] == client_id, f"ack for another message: {ack}")
        return ack

    async def _try(self, frame):
        """The answer, or how many seconds to wait before the next attempt."""
        try:
            return await self.ask(frame), 0
        except Refused as refused:
            if refused.code != "rate_limited":
                raise
            wait = refused.frame.get("retryAfterMs")
            expect(wait is not None, "rate_limited without retryAfterMs")
            return None, wait / 1000

    def messages(self, conversation):
        return [
            event["message"]
            for event in self.events
            if event["type"] == "message:new" and event["conversationId"] == conversation
        ]

    def of_type(self, kind, **fields):
        return [f for f in self.frames if f["type"] == kind and all(f.get(k) == v for k, v in fields.items())]

    async def until_at(self, conversation, seq):
        await self.until(lambda: (self.positions.get(conversation) or 0) >= seq, f"the event at {seq}")

    async def until_closed(self, code, patience=PATIENCE):
        await self.until(lambda: self.closed is not None, f"close {code}", patience)
        expect(self.closed == code, f"close {code} expected, got {self.closed}")

    async def close(self):
        await self.connection.close()
        await self._reader


async def dial(base):
    """A socket before hello."""
    url = base.rstrip("/").replace("http", "ws", 1) + "/ws"
    connection = await connect(
        url, subprotocols=["natter.v1"], compression=None, proxy=None, max_size=None, ping_interval=None
    )
    expect(connection.subprotocol == "natter.v1", f"subprotocol {connection.subprotocol}")
    return connection


async def closes_with(connection, code, patience=PATIENCE):
    """Frames before the close, once it closed with this code."""
    frames = []
    try:
        while True:
            frames.append(json.loads(await asyncio.wait_for(connection.recv(), patience)))
    except asyncio.TimeoutError:
        raise Broken(f"close {code} expected within {patience:.0f} s; got {frames[-3:]}") from None
    except ConnectionClosed as closed:
        expect(close_code(closed) == code, f"close {code} expected, got {close_code(closed)} after {frames[-3:]}")
    return frames


def close_code(closed):
    return closed.rcvd.code if closed.rcvd else 1006


def show(answer):
    return f"{answer.status_code} {answer.text[:300]}"
