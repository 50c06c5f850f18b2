/** What the machine takes and what it asks for. */

import type { ClientFrame, ServerFrame, SocketLimits } from "../wire/frames";
import type { Conversation, Inbox, MessagePage, Page } from "../wire/rest";
import type { StopReason } from "../wire/codes";
import type { ConversationState, LoadWhat, Outgoing } from "./state";

/** Given with every input: nothing in the machine reads a clock or makes randomness. */
export interface Env {
  /** Milliseconds of a clock that never goes back. */
  now: number;
  /** 0 ≤ random < 1. */
  random: number;
}

/** What is kept about the client itself. */
export interface Meta {
  deviceId: string;
  userId: string | null;
  epoch: string | null;
  limits: SocketLimits | null;
}

/** What is kept of a conversation: to be read offline, and to resume from. */
export type Copy = Pick<
  ConversationState,
  "id" | "info" | "position" | "segments" | "lastMessage" | "lastActivityAt" | "readSeq" | "readVersion" | "unread"
> & { wish: { seq: number; unread: boolean } | null };

export type Input =
  /** What storage had; before `start`. */
  | { type: "restored"; meta: Meta | null; outbox: Outgoing[]; copies: Copy[] }
  | { type: "start" }
  | { type: "stop"; reason: StopReason }
  | { type: "tick" }
  | { type: "network"; online: boolean }
  /** The page was frozen, or the device slept. */
  | { type: "wake" }
  /** The user wants a connection now. */
  | { type: "reconnect" }
  /** This tab has become the one with the socket; the one before it is gone. */
  | { type: "takeOver" }
  | { type: "token"; token: string; expiresInMs: number }
  | { type: "tokenFailed"; code: string; retryAfterMs?: number }
  | { type: "opened"; socket: number }
  | { type: "frame"; socket: number; frame: ServerFrame }
  | { type: "closed"; socket: number; code: number }
  | { type: "saved"; clientId: string }
  | { type: "saveFailed"; clientId: string }
  /** `load` is that of the effect: an answer that came too late is none to what was asked for since. */
  | { type: "loaded"; key: string; load: number; body: LoadBody }
  | { type: "loadFailed"; key: string; load: number; code: string; retryAfterMs?: number }
  | { type: "command"; ref: string; command: Command };

export type LoadBody = Conversation | Inbox | MessagePage | Page<Conversation>;

/** What a user does. */
export type Command =
  | { type: "send"; conversationId: string; content: string; clientId: string; replyTo: number | null; at: string }
  | { type: "retry"; clientId: string }
  | { type: "discard"; clientId: string }
  | { type: "edit"; conversationId: string; seq: number; content: string }
  | { type: "delete"; conversationId: string; seq: number }
  | { type: "react"; conversationId: string; seq: number; emoji: string; on: boolean }
  | { type: "read"; conversationId: string; seq: number }
  | { type: "markUnread"; conversationId: string; seq: number }
  | { type: "typing"; conversationId: string; isTyping: boolean }
  /** What a tab shows now, instead of what it showed before: kept complete, with presence and typing. */
  | { type: "show"; tab: string; conversationIds: string[] }
  /** The page that ends before this seq. */
  | { type: "loadOlder"; conversationId: string; before: number }
  | { type: "loadNewer"; conversationId: string; after: number }
  /** Both sides of a message, to jump to it. */
  | { type: "loadAround"; conversationId: string; seq: number }
  | { type: "loadMore" };

export type Effect =
  | { type: "open"; socket: number }
  | { type: "send"; socket: number; frame: ClientFrame }
  | { type: "close"; socket: number }
  | { type: "renew" }
  | { type: "load"; key: string; load: number; what: LoadWhat }
  /** Answered with `saved` or `saveFailed` once it is in storage. */
  | { type: "saveSend"; entry: Outgoing }
  | { type: "forgetSend"; clientId: string }
  | { type: "saveMeta"; meta: Meta }
  | { type: "saveCopy"; copy: Copy }
  | { type: "forgetCopy"; conversationId: string }
  | { type: "wipe" }
  | { type: "answer"; ref: string; code: string | null; retryAfterMs?: number };
