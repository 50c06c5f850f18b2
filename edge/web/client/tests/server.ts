/** A model of the server: what docs/protocol.md promises, in memory, without time. */

import type { ClientFrame, EventFrame, ServerFrame } from "../src/wire/frames";
import type { Conversation, Message, MessagePage, Page } from "../src/wire/rest";

/** More missing events than this are answered with `resume:gap`. */
const RESUME_EVENTS = 6;
const TIME = "2026-01-01T00:00:00.000Z";

type Logged = { frame: EventFrame; author: string };

interface Room {
  id: string;
  log: Logged[];
  /** By seq, in their present state. */
  messages: Map<number, Message>;
  read: Map<string, number>;
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
      const room: Room = { id, log: [], messages: new Map(), read: new Map() };
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
    for (const socket of this.sockets) if (socket.isWelcomed && !lost) socket.out.push(structuredClone(frame));
    return frame;
  }

  private apply(room: Room, frame: EventFrame): void {
    if (frame.type === "message:new") {
      room.messages.set(frame.seq, structuredClone(frame.message));
      const { senderId } = frame.message;
      room.read.set(senderId, Math.max(room.read.get(senderId) ?? 0, frame.seq));
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

  unread(id: string, user: string): number {
    const room = this.room(id);
    const after = room.read.get(user) ?? 0;
    const counts = [...room.messages.values()].filter((m) => m.seq > after && m.senderId !== user && !m.deletedAt);
    return Math.min(100, counts.length);
  }

  /** The log is made anew: the same messages, other seqs, another epoch. Every socket ends. */
  rebuild(): void {
    this.sockets = new Set();
    this.epoch = `epoch-${Number(this.epoch.split("-")[1]) + 1}`;
    this.head = 0;
    for (const room of this.rooms.values()) {
      const { messages, read, log } = room;
      const seqs = new Map<number, number>();
      room.log = [];
      room.messages = new Map();
      room.read = new Map();
      this.append(room, this.me, (place) => ({ ...place, type: "conversation:updated", name: room.id, by: this.me, at: TIME }));
      for (const message of messages.values()) {
        const frame = this.append(room, message.senderId, (place) => ({
          ...place,
          type: "message:new",
          message: { ...message, seq: place.seq, replyTo: null },
        }));
        seqs.set(message.seq, frame.seq);
        if (message.clientId) for (const known of this.known.values()) if (known.id === message.id) known.seq = frame.seq;
      }
      for (const [user, seq] of read) {
        const before = [...seqs].filter(([old]) => old <= seq).map(([, now]) => now);
        room.read.set(user, Math.max(0, ...before, seq >= (log[0]?.frame.seq ?? 0) ? this.firstOf(room) : 0));
      }
    }
  }

  private firstOf(room: Room): number {
    return room.log[0]?.frame.seq ?? 0;
  }

  /** Takes a frame of a client, and queues what answers it. */
  take(socket: ServerSocket, frame: ClientFrame): void {
    switch (frame.type) {
      case "hello":
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
        this.resume(socket, frame.positions, true);
        socket.out.push({ type: "resume:done", id: frame.id });
        return;
      case "send":
        return this.send(socket, frame);
      case "read": {
        const room = this.room(frame.conversationId);
        const seq = Math.min(frame.seq, this.headOf(room));
        room.read.set(this.me, Math.max(room.read.get(this.me) ?? 0, seq));
        const read = room.read.get(this.me) ?? 0;
        const unreadCount = this.unread(room.id, this.me);
        socket.out.push({ type: "read:ack", id: frame.id, conversationId: room.id, seq: read, unreadCount });
        return;
      }
      case "join": {
        const room = this.room(frame.conversationId);
        const readSeq = room.read.get(this.me) ?? 0;
        socket.out.push({ type: "joined", id: frame.id, conversationId: room.id, headSeq: this.headOf(room), readSeq, online: [] });
        return;
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

  /** The heads of all rooms, as with each heartbeat. */
  heads(): void {
    const positions = Object.fromEntries([...this.rooms.values()].map((room) => [room.id, this.headOf(room)]));
    for (const socket of this.sockets) if (socket.isWelcomed) socket.out.push({ type: "heads", positions });
  }

  private resume(socket: ServerSocket, positions: Record<string, number>, sameEpoch: boolean): void {
    for (const [id, position] of Object.entries(positions)) {
      const room = this.rooms.get(id);
      if (!room) {
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

  conversation(id: string): Conversation {
    const room = this.room(id);
    const last = [...room.messages.values()].findLast((m) => !m.deletedAt) ?? null;
    return structuredClone({
      id,
      type: "group" as const,
      name: id,
      role: "member" as const,
      createdAt: TIME,
      headSeq: this.headOf(room),
      readSeq: room.read.get(this.me) ?? 0,
      unreadCount: this.unread(id, this.me),
      lastActivityAt: TIME,
      lastMessage: last,
      participantCount: 2,
      participants: [],
    });
  }

  list(): Page<Conversation> {
    return { items: [...this.rooms.keys()].map((id) => this.conversation(id)), nextCursor: null };
  }
}

type PlaceOf = { conversationId: string; seq: number; prevSeq: number };
