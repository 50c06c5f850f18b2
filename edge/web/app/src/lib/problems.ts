/** What a refusal means to who reads it. */
import { t } from '../words'
import { Problem } from './api'

type Sentence = (problem: Problem) => string

const again: Sentence = () => t.problemInternal
const unavailable: Sentence = () => t.problemUnavailable
const wait: Sentence = ({ retryAfter }) =>
  retryAfter === undefined ? t.problemTooFast : t.problemRateLimited({ seconds: Math.max(1, Math.ceil(retryAfter / 1000)) })

/** By code: those of docs/failures.md, and `offline` of this client. A test compares them with openapi.json. */
const SENTENCES: Readonly<Record<string, Sentence>> = {
  offline: () => t.problemOffline,
  malformed: () => t.problemOutdated,
  unauthenticated: () => t.sessionExpired,
  token_expired: () => t.sessionExpired,
  session_revoked: () => t.sessionEndedElsewhere,
  bad_credentials: () => t.problemCredentials,
  login_expired: () => t.problemLoginExpired,
  login_invalid: () => t.problemLoginInvalid,
  login_denied: () => t.problemLoginDenied,
  password_login_off: () => t.problemPasswordLoginOff,
  mail_off: () => t.problemMailOff,
  link_invalid: () => t.problemLinkInvalid,
  identity_taken: () => t.problemIdentityTaken,
  forbidden: () => t.problemForbidden,
  not_found: () => t.problemNotFound,
  method_not_allowed: () => t.problemOutdated,
  unsupported_media_type: () => t.problemOutdated,
  protocol_error: () => t.problemOutdated,
  username_taken: () => t.problemUsernameTaken,
  email_taken: () => t.problemEmailTaken,
  conflict: () => t.problemConflict,
  idempotency_in_progress: () => t.problemInProgress,
  idempotency_mismatch: () => t.problemMismatch,
  too_large: ({ most }) => (most === undefined ? t.problemTooLarge : t.problemTooLargeBy({ kib: Math.floor(most / 1024) })),
  invalid: ({ errors }) => (errors[0] ? fieldWords(errors[0].field) : t.problemInvalid),
  rate_limited: wait,
  too_many_frames: wait,
  too_many_sockets: () => t.connectionReplaced,
  internal: again,
  unavailable,
  restarting: unavailable,
  slow_reader: unavailable,
  ping_timeout: unavailable,
}

/** The codes that have a sentence. */
export const EXPLAINED: readonly string[] = Object.keys(SENTENCES)

/** `own`: what a code means for what was attempted, where one sentence for all would say less. */
export function explain(error: unknown, own: Readonly<Record<string, string>> = {}): string {
  if (!(error instanceof Problem)) return t.problemInternal
  return own[error.code] ?? (SENTENCES[error.code] ?? again)(error)
}

/** The same for a code alone, such as that of a message that was not sent. */
export const explainCode = (code: string, own: Readonly<Record<string, string>> = {}): string =>
  explain(new Problem(code, 0, code, undefined, []), own)

/** What went wrong while the browser was elsewhere, as the address says it. Once: then the address is clean. */
export function takeError(own: Readonly<Record<string, string>> = {}): string | undefined {
  const code = new URLSearchParams(location.search).get('error')
  if (code === null) return undefined
  history.replaceState(null, '', location.pathname)
  return explainCode(code, own)
}

/** The words for a field that the server refused; its own are in English. */
export function fieldWords(field: string): string {
  switch (field) {
    case 'username':
      return t.invalidUsername
    case 'email':
      return t.invalidEmail
    case 'password':
    case 'next':
      return t.invalidPassword
    case 'displayName':
    case 'name':
      return t.invalidName
    case 'content':
      return t.invalidContent
    case 'query':
      return t.invalidQuery
    default:
      return t.invalidField
  }
}
