/** What a refusal means to who reads it. */
import { t } from '../words'
import { Problem } from './api'

export function explain(error: unknown): string {
  if (!(error instanceof Problem)) return t.problemInternal
  switch (error.code) {
    case 'bad_credentials':
      return t.problemCredentials
    case 'username_taken':
      return t.problemUsernameTaken
    case 'email_taken':
      return t.problemEmailTaken
    case 'rate_limited':
      return t.problemRateLimited({ seconds: Math.ceil((error.retryAfter ?? 1000) / 1000) })
    case 'unavailable':
      return t.problemUnavailable
    case 'offline':
      return t.problemOffline
    case 'forbidden':
      return t.problemForbidden
    case 'not_found':
      return t.problemNotFound
    case 'conflict':
      return t.problemConflict
    case 'too_large':
      return t.problemTooLarge
    default:
      return t.problemInternal
  }
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
    default:
      return t.invalidField
  }
}
