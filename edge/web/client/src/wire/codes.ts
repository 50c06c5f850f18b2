/** What follows from an error's code or a close code: docs/failures.md as decisions of a client. */

/**
 * - `fix`: the same request fails again; the user decides.
 * - `later`: the same request, with the same ids, after a wait.
 * - `renew`: after the token was renewed.
 */
export type AfterError = "fix" | "later" | "renew";

const AFTER_ERROR: Record<string, AfterError> = {
  malformed: "fix",
  unauthenticated: "renew",
  token_expired: "renew",
  bad_credentials: "fix",
  login_expired: "fix",
  login_invalid: "fix",
  login_denied: "fix",
  password_login_off: "fix",
  mail_off: "fix",
  link_invalid: "fix",
  forbidden: "fix",
  not_found: "fix",
  method_not_allowed: "fix",
  username_taken: "fix",
  email_taken: "fix",
  identity_taken: "fix",
  idempotency_in_progress: "later",
  conflict: "fix",
  too_large: "fix",
  unsupported_media_type: "fix",
  invalid: "fix",
  idempotency_mismatch: "fix",
  rate_limited: "later",
  internal: "later",
  unavailable: "later",
  restarting: "later",
  slow_reader: "later",
  ping_timeout: "later",
  too_many_frames: "later",
  session_revoked: "fix",
  protocol_error: "fix",
  too_many_sockets: "fix",
};

/** A code of a newer server is left to the user: repeating what is not understood could go on forever. */
export const afterError = (code: string): AfterError => AFTER_ERROR[code] ?? "fix";

/** The codes this client knows; a test compares them with docs/failures.md. */
export const KNOWN_CODES: readonly string[] = Object.keys(AFTER_ERROR);

/** Why the client has stopped and does not connect by itself. */
export type StopReason =
  | "notStarted"
  | "signedOut"
  /** The session was ended elsewhere, or its refresh token is not valid: what is stored must be wiped. */
  | "sessionEnded"
  /** A newer socket took the place of this one. */
  | "replaced"
  /** The server does not speak this protocol. */
  | "protocol";

export type AfterClose =
  | { do: "reconnect" }
  | { do: "renew" }
  | { do: "failSends"; code: string }
  | { do: "stop"; reason: StopReason };

export function afterClose(code: number): AfterClose {
  switch (code) {
    case 1009:
      return { do: "failSends", code: "too_large" };
    case 4001:
      return { do: "renew" };
    case 4500:
      return { do: "stop", reason: "sessionEnded" };
    case 4503:
      return { do: "stop", reason: "replaced" };
    default:
      return code >= 4500 && code <= 4999 ? { do: "stop", reason: "protocol" } : { do: "reconnect" };
  }
}
