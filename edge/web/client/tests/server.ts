/** A model of the server: what docs/protocol.md promises, in memory, without time. */

import type { ClientFrame, EventFrame, ServerFrame } from "../src/wire/frames";
import type { Conversation, Inbox, Message, MessagePage, Page } from "../src/wire/rest";
import { isCounting, own, type Reading, unread } from "./marks";

/** More missing events than this are answered with `resume:gap`. */
const RESUME_EVENTS = 6;
const TIME = "2026-01-01T00:00:00.000Z";

type Logged = { frame: EventFrame; author: string };

interface Room {
  id: string;
  log: Logged[];
  /** By seq, in their present state. */
  messages: Map<number, Message>;
  reading: Reading;
  isMember: boolean;
}

export interface ServerSocket {
  user: string;
  device: string;
  out: ServerFrame[];
  isWelcomed: boolean;
}

export class ModelServer {
  epoch = "epoch-1";
  readonly rooms = new Map<string, Room>();
  sockets = new Set<ServerSocket>();
  /** Clients' own ids of messages, by user, device and conversation. */
  private readonly known = new Map<string, Message>();
  private head = 0;
  private ids = 0;

  constructor(
    names: string[],
    readonly me: string,
  ) {
    for (const id of names) {
      const room: Room = { id, log: [], messages: new Map(), reading: unread(), isMember: true };
      this.rooms.set(id, room);
      this.append(room, me, (place) => ({ ...place, type: "conversation:updated", name: id, by: me, at: TIME }));
    }
  }

  room(id: string): Room {
    return this.rooms.get(id) as Room;
  }

  headOf(room: Room): number {
    return room.log.at(-1)?.frame.seq ?? 0;
  }

  /** `lost`: the event is stored, but does not arrive on sockets. */
  private append(room: Room, author: string, make: (place: PlaceOf) => EventFrame, lost = false): EventFrame {
    // Seqs rise within a conversation, not by one.
    this.head += 1 + (this.head % 3);
    const frame = make({ conversationId: room.id, seq: this.head, prevSeq: this.headOf(room) });
    room.log.push({ frame, author });
    this.apply(room, frame);
    if (room.isMember && !lost) this.broadcast(frame);
    return frame;
  }

  private broadcast(frame: ServerFrame): void {
    for (const socket of this.sockets) if (socket.isWelcomed) socket.out.push(structuredClone(frame));
  }

  private apply(room: Room, frame: EventFrame): void {
    if (frame.type === "message:new") {
      room.messages.set(frame.seq, structuredClone(frame.message));
      if (frame.message.senderId === this.me) room.reading.read = Math.max(room.reading.read, frame.seq);
      return;
    }
    const message = "target" in frame ? room.messages.get(frame.target) : undefined;
    if (!message || message.deletedAt) return;
    if (frame.type === "message:edited") {
      Object.assign(message, { content: frame.content, editedAt: frame.at });
    } else if (frame.type === "message:deleted") {
      Object.assign(message, { content: null, deletedAt: frame.at, reactions: [] });
    } else if (frame.type === "reaction:changed") {
      const users = message.reactions.find((r) => r.emoji === frame.emoji)?.userIds ?? [];
      const now = frame.on ? [...users, frame.userId] : users.filter((u) => u !== frame.userId);
      const reaction = { emoji: frame.emoji, count: now.length, me: now.includes(this.me), userIds: now };
      const at = message.reactions.findIndex((r) => r.emoji === frame.emoji);
      if (now.length === 0) message.reactions.splice(at, 1);
      else if (at < 0) message.reactions.push(reaction);
      else message.reactions[at] = reaction;
    }
  }

  post(id: string, user: string, content: string, clientId: string | null, lost = false): Message {
    const room = this.room(id);
    this.ids += 1;
    const frame = this.append(
      room,
      user,
      (place) => ({
        ...place,
        type: "message:new",
        message: {
          id: `message-${this.ids}`,
          conversationId: id,
          seq: place.seq,
          senderId: user,
          clientId,
          content,
          replyTo: null,
          createdAt: TIME,
          editedAt: null,
          deletedAt: null,
          reactions: [],
        },
      }),
      lost,
    );
    return (frame as Extract<EventFrame, { type: "message:new" }>).message;
  }

  /** A change of the message at an index, by another user; nothing if there is none to change. */
  change(id: string, user: string, index: number, kind: "edit" | "delete" | "react", lost = false): void {
    const room = this.room(id);
    const target = [...room.messages.keys()].at(index % Math.max(1, room.messages.size));
    const message = target === undefined ? undefined : room.messages.get(target);
    if (target === undefined || !message || message.deletedAt) return;
    const about = { target, at: TIME, userId: user };
    this.append(
      room,
      user,
      (place) => {
        if (kind === "edit") return { ...place, ...about, type: "message:edited", content: `edited at ${place.seq}` };
        if (kind === "delete") return { ...place, ...about, type: "message:deleted" };
        const on = !message.reactions.some((r) => r.emoji === "👍" && r.userIds.includes(user));
        return { ...place, ...about, type: "reaction:changed", emoji: "👍", on };
      },
      lost,
    );
  }

  readSeq(id: string): number {
    return own(this.room(id).reading).seq;
  }

  unread(id: string): number {
    const after = this.readSeq(id);
    const counts = [...this.room(id).messages.values()].filter((m) => m.seq > after && m.senderId !== this.me && !m.deletedAt);
    return Math.min(100, counts.length);
  }

  /** What `read` does, of this or of another device. */
  read(id: string, seq: number, again: boolean): void {
    // A mark is stored before it is answered.
    this.catchUp();
    const room = this.room(id);
    const { reading } = room;
    const { version, over, position } = reading.unread;
    if (again) {
      if (seq - 1 >= own(reading).seq) return;
      reading.unread = { version: Math.max(version, reading.ended) + 1, position: seq - 1, over: reading.read };
    } else {
      const upTo = Math.min(seq, this.headOf(room));
      const wasCounting = isCounting(reading);
      if (wasCounting && upTo >= over) reading.ended = version;
      else if (wasCounting && upTo > position) reading.unread.position = upTo;
      reading.read = Math.max(reading.read, upTo);
    }
    this.broadcast({ type: "read:receipt", conversationId: id, userId: this.me, readAt: TIME, ...own(reading) });
  }

  /** The user is removed by another, or added again. */
  setMember(id: string, isMember: boolean): void {
    const room = this.room(id);
    if (room.isMember === isMember) return;
    this.catchUp();
    if (!isMember) this.broadcast({ type: "conversation:removed", conversationId: id });
    room.isMember = isMember;
    if (!isMember) return;
    this.head += 1;
    const frame = { conversationId: id, seq: this.head, prevSeq: this.headOf(room), userId: this.me, by: "other", at: TIME } as const;
    room.log.push({ frame: { ...frame, type: "member:changed", change: "added", role: "member" }, author: "other" });
    // None of what was there before is unread.
    room.reading.read = Math.max(room.reading.read, this.head);
    this.broadcast({ type: "conversation:added", conversation: this.conversation(id) });
  }

  /** The log is rebuilt: the same messages, other seqs, another epoch. Every socket ends. */
  rebuild(): void {
    this.catchUp();
    this.sockets = new Set();
    this.epoch = `epoch-${Number(this.epoch.split("-")[1]) + 1}`;
    this.head = 0;
    for (const room of this.rooms.values()) {
      const { messages } = room;
      const after = this.readSeq(room.id);
      room.log = [];
      room.messages = new Map();
      room.reading = unread();
      this.append(room, this.me, (place) => ({ ...place, type: "conversation:updated", name: room.id, by: this.me, at: TIME }));
      const read: number[] = [];
      for (const message of messages.values()) {
        const moved = (place: PlaceOf): EventFrame => ({ ...place, type: "message:new", message: { ...message, seq: place.seq } });
        const { seq } = this.append(room, message.senderId, moved);
        if (message.seq <= after) read.push(seq);
        for (const known of this.known.values()) if (known.id === message.id) known.seq = seq;
      }
      room.reading.read = Math.max(0, ...read);
    }
  }

  /** Takes a frame of a client, and queues what answers it. */
  take(socket: ServerSocket, frame: ClientFrame): void {
    switch (frame.type) {
      case "hello":
        this.catchUp();
        socket.isWelcomed = true;
        socket.device = frame.deviceId;
        this.sockets.add(socket);
        socket.out.push(this.welcome(socket));
        if (frame.resume) {
          this.resume(socket, frame.resume.positions, frame.resume.epoch === this.epoch);
          socket.out.push({ type: "resume:done" });
        }
        return;
      case "resume":
        if (this.refuseNext) {
          const code = this.refusal(Object.keys(frame.positions)[0] ?? "");
          if (code) return void socket.out.push({ type: "error", id: frame.id, message: "refused", ...code });
        }
        this.resume(socket, frame.positions, true);
        socket.out.push({ type: "resume:done", id: frame.id });
        return;
      case "send":
        return this.send(socket, frame);
      case "read": {
        const { id, conversationId } = frame;
        const code = this.refusal(conversationId);
        if (code) return void socket.out.push({ type: "error", id, message: "refused", ...code });
        this.read(conversationId, frame.seq, frame.unread ?? false);
        const seq = this.readSeq(conversationId);
        socket.out.push({ type: "read:ack", id, conversationId, seq, unreadCount: this.unread(conversationId) });
        return;
      }
      case "join": {
        const { id, conversationId } = frame;
        const code = this.refusal(conversationId);
        if (code) return void socket.out.push({ type: "error", id, message: "refused", ...code });
        const headSeq = this.headOf(this.room(conversationId));
        const readSeq = this.readSeq(conversationId);
        socket.out.push({ type: "joined", id, conversationId, headSeq, readSeq, online: [] });
        return;
      }
      case "edit": {
        const [code, id] = [this.refusal(frame.conversationId), frame.id];
        return void socket.out.push(code ? { type: "error", id, message: "refused", ...code } : { type: "ack", id });
      }
      case "ping":
        socket.out.push({ type: "pong", id: frame.id, serverTime: TIME });
        return;
      case "typing":
        return;
      default:
        socket.out.push({ type: "ack", id: frame.id });
    }
  }

  private send(socket: ServerSocket, frame: Extract<ClientFrame, { type: "send" }>): void {
    const code = this.refusal(frame.conversationId);
    if (code) return void socket.out.push({ type: "error", id: frame.id, message: "refused", ...code });
    const key = `${socket.user} ${socket.device} ${frame.conversationId} ${frame.clientId}`;
    const known = this.known.get(key);
    const message = known ?? this.post(frame.conversationId, socket.user, frame.content, frame.clientId);
    this.known.set(key, message);
    const { id: messageId, seq, createdAt } = message;
    const { id, conversationId, clientId } = frame;
    const duplicate = known !== undefined;
    socket.out.push({
      ...{ type: "ack", id, conversationId, messageId, clientId, seq, createdAt, duplicate },
      clientIdPrefix: "second-",
    });
  }

  /** Of the next request that it can be of, whatever that is. */
  refuseNext: { code: string; retryAfterMs?: number } | null = null;

  private refusal(id: string): { code: string; retryAfterMs?: number } | null {
    const next = this.refuseNext;
    this.refuseNext = null;
    return this.rooms.get(id)?.isMember ? next : { code: "not_found" };
  }

  /** The heads of all rooms, as with each heartbeat. */
  heads(): void {
    const rooms = [...this.rooms.values()].filter(({ isMember }) => isMember);
    const positions = Object.fromEntries(rooms.map((room) => [room.id, this.headOf(room)]));
    for (const socket of this.sockets) if (socket.isWelcomed) socket.out.push({ type: "heads", positions });
  }

  private resume(socket: ServerSocket, positions: Record<string, number>, sameEpoch: boolean): void {
    for (const [id, position] of Object.entries(positions)) {
      const room = this.rooms.get(id);
      if (!room?.isMember) {
        socket.out.push({ type: "conversation:removed", conversationId: id });
        continue;
      }
      const missing = room.log.filter(({ frame }) => frame.seq > position);
      if (!sameEpoch || missing.length > RESUME_EVENTS || position > this.headOf(room)) {
        socket.out.push({ type: "resume:gap", conversationId: id, headSeq: this.headOf(room) });
        continue;
      }
      for (const { frame } of missing) {
        const again = structuredClone(frame);
        if (again.type === "message:new") {
          const now = room.messages.get(again.seq);
          if (now?.deletedAt) Object.assign(again.message, { content: null, deletedAt: now.deletedAt });
        }
        if (again.type === "message:edited" && room.messages.get(again.target)?.deletedAt) again.content = null;
        socket.out.push(again);
      }
    }
  }

  private welcome(socket: ServerSocket): ServerFrame {
    return {
      type: "welcome",
      userId: socket.user,
      sessionId: "session",
      deviceId: socket.device,
      epoch: this.epoch,
      clientIdPrefix: "first-",
      heartbeatMs: 25_000,
      serverTime: TIME,
      limits: {
        contentBytes: 8192,
        frameBytes: 65536,
        resumePositions: 1000,
        resumeEvents: RESUME_EVENTS,
        pendingRequests: 256,
      },
    };
  }

  page(id: string, before: number | null, after: number | null): MessagePage {
    const limit = 3;
    const room = this.room(id);
    const all = [...room.messages.values()];
    const headSeq = this.headOf(room);
    const found = all.filter((m) => (before === null || m.seq < before) && (after === null || m.seq > after));
    const items = after === null ? found.slice(-limit) : found.slice(0, limit);
    return structuredClone({ items, hasMore: found.length > items.length, headSeq });
  }

  /** Views of rooms as they are stored: behind the log until the messages of a moment ago are written. */
  private stored = new Map<string, Conversation>();

  /** From here on messages are acked and sent, and not yet in what HTTP answers with. */
  lag(): void {
    this.catchUp();
    for (const id of this.rooms.keys()) this.stored.set(id, this.conversation(id));
  }

  catchUp = (): void => this.stored.clear();

  conversation(id: string): Conversation {
    const stored = this.stored.get(id);
    if (stored) return structuredClone(stored);
    const room = this.room(id);
    const last = [...room.messages.values()].findLast((m) => !m.deletedAt) ?? null;
    return structuredClone({
      id,
      type: "group" as const,
      name: id,
      role: "member" as const,
      createdAt: TIME,
      headSeq: this.headOf(room),
      readSeq: this.readSeq(id),
      unreadCount: this.unread(id),
      lastActivityAt: TIME,
      lastMessage: last,
      participantCount: 2,
      participants: [],
    });
  }

  private members = (): Conversation[] =>
    [...this.rooms.values()].filter(({ isMember }) => isMember).map(({ id }) => this.conversation(id));

  list = (): Page<Conversation> => ({ items: this.members(), nextCursor: null });

  inbox(): Inbox {
    const items = this.members().filter(({ unreadCount }) => unreadCount > 0);
    const marks = items.map(({ id, ...item }) => ({ ...item, conversationId: id }));
    return { totalUnread: 0, items: marks, nextCursor: null };
  }
}

type PlaceOf = { conversationId: string; seq: number; prevSeq: number };
