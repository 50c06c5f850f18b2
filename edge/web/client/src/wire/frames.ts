/** Frames of the subprotocol `natter.v1`, both directions (docs/protocol.md, section 2). */

import type { Conversation, Message, Role, Status } from "./rest";

export type Seq = number;
export type Positions = Record<string, Seq>;
/** A request's own identifier; this client uses integers. */
export type RequestId = number | string;

export type ClientFrame =
  | { type: "hello"; token: string; deviceId: string; resume?: { epoch: string; positions: Positions } }
  | {
      type: "send";
      id: RequestId;
      conversationId: string;
      content: string;
      clientId: string;
      replyTo?: Seq;
      retry?: true;
    }
  | { type: "edit"; id: RequestId; conversationId: string; seq: Seq; content: string }
  | { type: "delete"; id: RequestId; conversationId: string; seq: Seq }
  | { type: "react"; id: RequestId; conversationId: string; seq: Seq; emoji: string; on: boolean }
  | { type: "join"; id: RequestId; conversationId: string }
  | { type: "leave"; id: RequestId; conversationId: string }
  | { type: "typing"; conversationId: string; isTyping: boolean }
  | { type: "read"; id: RequestId; conversationId: string; seq: Seq; unread?: true }
  | { type: "resume"; id: RequestId; positions: Positions }
  | { type: "ping"; id: RequestId }
  | { type: "token"; id: RequestId; token: string };

export interface SocketLimits {
  contentBytes: number;
  frameBytes: number;
  resumePositions: number;
  resumeEvents: number;
  pendingRequests: number;
}

/** Where an event is: its conversation, its seq, and the seq of the event before it (0: unknown or first). */
export interface Place {
  conversationId: string;
  seq: Seq;
  prevSeq: Seq;
}

export type MessageNew = Place & { type: "message:new"; message: Message };
export type MessageEdited = Place & {
  type: "message:edited";
  target: Seq;
  content: string | null;
  at: string;
  userId: string;
};
export type MessageDeleted = Place & { type: "message:deleted"; target: Seq; at: string; userId: string };
export type ReactionChanged = Place & {
  type: "reaction:changed";
  target: Seq;
  emoji: string;
  on: boolean;
  at: string;
  userId: string;
};
export type MemberChanged = Place & {
  type: "member:changed";
  change: "added" | "removed" | "roleChanged";
  userId: string;
  role?: Role;
  by: string;
  at: string;
};
export type ConversationUpdated = Place & { type: "conversation:updated"; name?: string; by: string; at: string };

/** What changes a message that is there already. */
export type ChangeFrame = MessageEdited | MessageDeleted | ReactionChanged;
/** What has a place in a conversation's log. */
export type EventFrame = MessageNew | ChangeFrame | MemberChanged | ConversationUpdated;

export interface Welcome {
  type: "welcome";
  userId: string;
  sessionId: string;
  deviceId: string;
  epoch: string;
  heartbeatMs: number;
  serverTime: string;
  limits: SocketLimits;
  clientIdPrefix?: string;
}

export interface Ack {
  type: "ack";
  id: RequestId | null;
  conversationId?: string;
  messageId?: string;
  clientId?: string;
  seq?: Seq;
  createdAt?: string;
  duplicate?: boolean;
  clientIdPrefix?: string;
}

export interface ErrorFrame {
  type: "error";
  id: RequestId | null;
  code: string;
  message: string;
  retryAfterMs?: number;
}

export interface ReadReceipt {
  type: "read:receipt";
  conversationId: string;
  userId: string;
  seq: Seq;
  readAt: string;
  version?: number;
}

export type ServerFrame =
  | Welcome
  | Ack
  | ErrorFrame
  | EventFrame
  | ReadReceipt
  | {
      type: "joined";
      id: RequestId | null;
      conversationId: string;
      headSeq: Seq;
      readSeq: Seq;
      online: string[];
    }
  | { type: "read:ack"; id?: RequestId | null; conversationId: string; seq: Seq; unreadCount: number }
  | { type: "resume:gap"; conversationId: string; headSeq: Seq }
  | { type: "resume:done"; id?: RequestId | null }
  | { type: "pong"; id: RequestId | null; serverTime: string }
  | { type: "conversation:added"; conversation: Conversation }
  | { type: "conversation:removed"; conversationId: string }
  | { type: "typing"; conversationId: string; userId: string; isTyping: boolean }
  | { type: "presence"; userId: string; status: Status; lastSeenAt: string | null; version: number }
  | { type: "heads"; positions: Positions }
  | { type: "goodbye"; reason: string; retryAfterMs: number };
