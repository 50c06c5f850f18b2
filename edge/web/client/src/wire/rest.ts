/**
 * What travels over HTTP (docs/protocol.md, section 1), by the names of docs/openapi.json: `openapi.ts` is generated from
 * it by `npm run types`.
 */

import type { components } from "./openapi";

type Schemas = components["schemas"];

export type Role = Schemas["Role"];
export type Status = Schemas["Status"];
export type Reaction = Schemas["Reaction"];
export type Message = Schemas["Message"];
export type MessagePage = Schemas["MessagePage"];
export type OpenSession = Schemas["OpenSession"];
export type Participant = Schemas["Participant"];
export type Conversation = Schemas["Conversation"];
export type Inbox = Schemas["Inbox"];
export type User = Schemas["User"];
export type Session = Schemas["Session"];
/** RFC 9457 problem details. */
export type Problem = Schemas["Problem"];

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}
