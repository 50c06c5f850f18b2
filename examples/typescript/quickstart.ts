// Registers, sends a message over a socket, goes away and catches up: npm start -- [http://127.0.0.1:3000]
import { randomUUID } from "node:crypto";
import WebSocket from "ws";

type Session = { token: string; user: { id: string } };
type Frame = { type: string; epoch?: string; seq?: number };

const base = process.argv[2] ?? "http://127.0.0.1:3000";

async function post<T>(path: string, body: object, token?: string): Promise<T> {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(base + path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
  return (await answer.json()) as T;
}

function register(who: string): Promise<Session> {
  const username = `${who}-${randomUUID().slice(0, 8)}`;
  const account = { username, email: `${username}@example.org`, password: "correct horse battery" };
  return post("/api/auth/register", account);
}

/** Opens a socket, sends the requests and shows what comes, until a frame of each of these types has. */
function show(types: string[], ...requests: object[]): Promise<Map<string, Frame>> {
  const seen = new Map<string, Frame>();
  const complete = () => types.every((type) => seen.has(type));
  const socket = new WebSocket(`${base.replace("http", "ws")}/ws`, "natter.v1");
  socket.on("open", () => requests.forEach((request) => socket.send(JSON.stringify(request))));
  socket.on("message", (text) => {
    if (complete()) return;
    console.log(String(text));
    const frame: Frame = JSON.parse(String(text));
    seen.set(frame.type, frame);
    if (complete()) socket.close();
  });
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("close", (code) => (complete() ? resolve(seen) : reject(new Error(`closed with ${code}`))));
  });
}

const [me, friend] = await Promise.all([register("me"), register("friend")]);
const direct = { type: "direct", participantIds: [friend.user.id] };
const room = await post<{ id: string }>("/api/conversations", direct, me.token);

// The clientId makes it one message, however often it is sent; the ack says that it is kept.
const hello = { type: "hello", token: me.token, deviceId: "laptop" };
const send = { type: "send", id: 1, conversationId: room.id, content: "hello", clientId: randomUUID() };
const seen = await show(["ack", "message:new"], hello, send);

// What comes meanwhile is not lost: the next socket asks for everything after what this one has seen.
await post("/api/messages", { conversationId: room.id, content: "are you there?" }, friend.token);
const positions = { [room.id]: seen.get("message:new")?.seq };
await show(["resume:done"], { ...hello, resume: { epoch: seen.get("welcome")?.epoch, positions } });
