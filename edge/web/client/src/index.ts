/** `@natter/client`: docs/client.md describes it. */

export { NatterClient, Refused, type ClientOptions } from "./client";
export { Account, type Registration } from "./driver/auth";
export { ApiError, type CallOptions, Rest } from "./driver/rest";
export * from "./ports";
export { browserTabs, canShareTabs, randomText, singleTab, systemClock, webSockets } from "./browser";
export { memoryStorage } from "./storage/memory";
export { conversationList, messagesBehind, readBy, timeline, type Timeline, type TimelineItem, totalUnread } from "./views";
export { step, due, type Step } from "./core/step";
export { initial, unknownConversation } from "./core/state";
export type {
  Connection,
  ConversationInfo,
  ConversationState,
  Load,
  Outgoing,
  Presence,
  State,
  Unread,
} from "./core/state";
export type { Command, Effect, Env, Input } from "./core/io";
export type { Held, Segment } from "./core/segments";
export { afterClose, afterError, type StopReason } from "./wire/codes";
export type * from "./wire/frames";
export type * from "./wire/rest";
