/** The client's whole state: plain values, so that tabs can mirror it and tests can compare it. */

import type { SocketLimits } from "../wire/frames";
import type { ChangeFrame } from "../wire/frames";
import type { Message, Participant, Role, Status } from "../wire/rest";
import type { StopReason } from "../wire/codes";
import * as limits from "./limits";
import type { Segment } from "./segments";

/** Where the connection is; docs/client.md draws it. Times are milliseconds of the client's own monotonic clock. */
export type Connection =
  | { readonly phase: "stopped"; readonly reason: StopReason }
  /** The next attempt is at `until`. */
  | { readonly phase: "waiting"; readonly until: number; readonly code: string | number }
  | { readonly phase: "renewing" }
  | { readonly phase: "connecting"; readonly deadline: number }
  | { readonly phase: "greeting"; readonly deadline: number }
  /** Welcomed; what was missed is arriving. `again`: the resume failed and is asked for again then. */
  | { readonly phase: "catchingUp"; readonly resume: number | null; readonly again: number | null }
  | { readonly phase: "live"; readonly since: number };

export interface Token {
  readonly value: string;
  readonly renewAt: number;
}

/** A message of one's own that is not yet part of the conversation. */
export interface Outgoing {
  readonly clientId: string;
  readonly conversationId: string;
  readonly content: string;
  readonly replyTo: number | null;
  /** The order in which messages were sent by the user. */
  readonly order: number;
  /** When the user sent it, by this device's wall clock: to be shown, never compared. */
  readonly at: string;
  /** `saving`: on its way into storage, and not sent before it is there. `sent`: in the log, its event not seen yet. */
  readonly status: "saving" | "queued" | "sending" | "sent" | "failed";
  /** Why it failed. */
  readonly code: string | null;
  /** It may have been sent before: the server learns so (`retry`). */
  readonly tried: boolean;
  readonly attempts: number;
  readonly notBefore: number;
  /** Storage refused it: it does not survive the end of the last tab. */
  readonly unsaved: boolean;
  readonly seq: number | null;
}

/** What is unread, as known at `asOf`: events up to there count no more. */
export interface Unread {
  readonly count: number;
  readonly asOf: number;
}

export interface ReadWish {
  readonly seq: number;
  readonly unread: boolean;
  readonly notBefore: number;
  readonly request: number | null;
}

export interface ConversationState {
  readonly id: string;
  /** What the list has about it; null while only its events are known. */
  readonly info: ConversationInfo | null;
  /** Seq of the newest event that was taken; null: not known, nothing is held. */
  readonly position: number | null;
  /** The last one is the live one: complete up to the position. Empty while the position is not known. */
  readonly segments: readonly Segment[];
  readonly lastMessage: Message | null;
  readonly lastActivityAt: string;
  readonly readSeq: number;
  readonly readVersion: number;
  /** An answer had this mark, below the one that is held: taken if the next answer has it, too. */
  readonly lowerSeq: number | null;
  readonly unread: Unread;
  /** How far others have read, as far as it was seen. */
  readonly reads: Readonly<Record<string, number>>;
  readonly wish: ReadWish | null;
  /** A resume that closes a gap: its request, how often it was tried, the newest seq seen beyond the gap. */
  readonly repair: Repair | null;
  /** Changes since the oldest page that is on its way was asked for. */
  readonly changes: readonly ChangeFrame[];
  /** Its info or its count may be wrong: asked for again. */
  readonly stale: boolean;
  /** Whether a tab shows it. */
  readonly open: boolean;
  readonly joined: "no" | "asked" | "yes";
  readonly joinNotBefore: number;
  readonly typing: Readonly<Record<string, number>>;
  /** When `typing` was sent last. */
  readonly typedAt: number | null;
  /** The number of the input that touched the read mark last: an older answer does not undo it. */
  readonly markedAt: number;
  readonly saveAt: number | null;
  /** Storage has a copy. */
  readonly isSaved: boolean;
}

export interface Repair {
  readonly request: number | null;
  readonly attempts: number;
  readonly beyond: number;
  readonly notBefore: number;
}

export interface ConversationInfo {
  readonly type: "direct" | "group";
  readonly name: string | null;
  readonly role: Role;
  readonly createdAt: string;
  readonly participantCount: number;
  readonly participants: readonly Participant[] | null;
}

/** Something asked for over HTTP. */
export interface Load {
  readonly key: string;
  readonly what: LoadWhat;
  readonly status: "wanted" | "running" | "failed";
  readonly attempts: number;
  readonly notBefore: number;
  readonly code: string | null;
  /** The number of the input at which it was started. */
  readonly startedAt: number;
}

export type LoadWhat =
  | { readonly kind: "list"; readonly cursor: string | null; readonly page: number }
  | { readonly kind: "inbox"; readonly cursor: string | null }
  | { readonly kind: "conversation"; readonly conversationId: string }
  | { readonly kind: "page"; readonly conversationId: string; readonly before: number | null; readonly after: number | null };

/** A frame that waits for its answer. */
export type Request = { readonly by: number } & (
  | { readonly kind: "send"; readonly conversationId: string; readonly clientId: string }
  | { readonly kind: "change"; readonly ref: string }
  | { readonly kind: "join"; readonly conversationId: string }
  | { readonly kind: "read"; readonly conversationId: string; readonly seq: number; readonly unread: boolean }
  | { readonly kind: "resume"; readonly conversationIds: readonly string[] }
  | { readonly kind: "other" }
);

export interface State {
  readonly connection: Connection;
  /** Inputs taken so far. */
  readonly inputs: number;
  /** Sockets opened so far; what belongs to an earlier one is ignored. */
  readonly socket: number;
  readonly attempt: number;
  readonly network: boolean;
  /** A wait the server asked for before it closed. */
  readonly retryAfter: number | null;
  readonly draining: boolean;
  readonly heardAt: number;
  /** A ping without an answer must have one by then. */
  readonly pongBy: number | null;
  readonly token: Token | null;
  readonly renewing: boolean;
  readonly renewNotBefore: number;

  readonly userId: string | null;
  readonly deviceId: string;
  readonly epoch: string | null;
  readonly heartbeatMs: number;
  readonly limits: SocketLimits | null;
  /** The newest prefix that makes a clientId cheap to recognize; good for minutes, so it is not stored. */
  readonly clientIdPrefix: string | null;

  readonly nextRequest: number;
  readonly requests: ReadonlyMap<number, Request>;
  readonly outbox: readonly Outgoing[];
  /** No send before this: the user's tokens are used up. */
  readonly sendNotBefore: number;
  readonly conversations: ReadonlyMap<string, ConversationState>;
  readonly presence: ReadonlyMap<string, Presence>;
  readonly loads: ReadonlyMap<string, Load>;
  readonly list: List;
  /** Of conversations whose newest event has not arrived after a reconnect: that event's seq, and how many messages to it. */
  readonly behind: Readonly<Record<string, Behind>>;
  /** What each tab shows. */
  readonly views: Readonly<Record<string, readonly string[]>>;
}

export interface Behind {
  readonly head: number;
  readonly messages: number;
}

export interface Presence {
  readonly status: Status;
  readonly lastSeenAt: string | null;
  readonly version: number;
}

/** How much of the list of conversations is known. `cursor` null and `complete`: all of it. */
export interface List {
  readonly cursor: string | null;
  readonly complete: boolean;
  readonly loaded: boolean;
}

export function initial(deviceId: string): State {
  return {
    connection: { phase: "stopped", reason: "notStarted" },
    inputs: 0,
    socket: 0,
    attempt: 0,
    network: true,
    retryAfter: null,
    draining: false,
    heardAt: 0,
    pongBy: null,
    token: null,
    renewing: false,
    renewNotBefore: 0,
    userId: null,
    deviceId,
    epoch: null,
    heartbeatMs: limits.HEARTBEAT,
    limits: null,
    clientIdPrefix: null,
    nextRequest: 1,
    requests: new Map(),
    outbox: [],
    sendNotBefore: 0,
    conversations: new Map(),
    presence: new Map(),
    loads: new Map(),
    list: { cursor: null, complete: false, loaded: false },
    behind: {},
    views: {},
  };
}

export function unknownConversation(id: string): ConversationState {
  return {
    id,
    info: null,
    position: null,
    segments: [],
    lastMessage: null,
    lastActivityAt: "",
    readSeq: 0,
    readVersion: 0,
    lowerSeq: null,
    unread: { count: 0, asOf: 0 },
    reads: {},
    wish: null,
    repair: null,
    changes: [],
    stale: true,
    open: false,
    joined: "no",
    joinNotBefore: 0,
    typing: {},
    typedAt: null,
    markedAt: 0,
    saveAt: null,
    isSaved: false,
  };
}

/** Whether a socket is welcomed: requests can be made. */
export const isWelcomed = ({ connection }: State): boolean =>
  connection.phase === "catchingUp" || connection.phase === "live";
