/** One attempt at a time to get something done with a form; what was refused is said by field or for the whole. */
import { Problem } from '../lib/api'
import { explain, fieldWords } from '../lib/problems'

/** Codes that are about one field. */
const FIELD_OF: Readonly<Record<string, string>> = { username_taken: 'username', email_taken: 'email' }

export class Attempt {
  busy = $state(false)
  /** Of the whole form. */
  error = $state<string>()
  fields = $state.raw<Readonly<Record<string, string>>>({})
  /** Seconds until another attempt is taken. */
  wait = $state(0)
  #timer: ReturnType<typeof setInterval> | undefined

  /** `own`: what a code means for this form, and of which field. */
  constructor(readonly own: Readonly<Record<string, { field: string; text: string }>> = {}) {}

  async run(work: () => Promise<void>): Promise<void> {
    if (this.busy || this.wait > 0) return
    this.busy = true
    this.error = undefined
    this.fields = {}
    try {
      await work()
    } catch (error) {
      this.#refused(error)
    } finally {
      this.busy = false
    }
  }

  #refused(error: unknown): void {
    const code = error instanceof Problem ? error.code : ''
    const own = this.own[code]
    const field = FIELD_OF[code]
    if (own) this.fields = { [own.field]: own.text }
    else if (field !== undefined) this.fields = { [field]: explain(error) }
    else if (error instanceof Problem && error.errors.length > 0) {
      this.fields = Object.fromEntries(error.errors.map(({ field }) => [field, fieldWords(field)]))
    } else if (error instanceof Problem && code === 'rate_limited') {
      this.#count(Math.max(1, Math.ceil((error.retryAfter ?? 1000) / 1000)))
    } else {
      this.error = explain(error)
    }
  }

  #count(seconds: number): void {
    const until = performance.now() + seconds * 1000
    clearInterval(this.#timer)
    this.wait = seconds
    this.#timer = setInterval(() => {
      this.wait = Math.max(0, Math.ceil((until - performance.now()) / 1000))
      if (this.wait === 0) clearInterval(this.#timer)
    }, 250)
  }

  end(): void {
    clearInterval(this.#timer)
  }
}
