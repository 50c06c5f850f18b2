/** Calls of the REST contract: JSON in, JSON out, a `Problem` for whatever went wrong. */

export interface FieldError {
  field: string
  message: string
}

/** A refusal of the server, or `offline` when there was no answer. */
export class Problem extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    readonly detail: string,
    /** Milliseconds after which another attempt makes sense. */
    readonly retryAfter: number | undefined,
    readonly errors: readonly FieldError[],
    /** Bytes that would have been taken, of what was too large. */
    readonly most: number | undefined = undefined,
  ) {
    super(detail)
  }
}

interface Options {
  method?: string
  body?: unknown
  token?: string | undefined
  signal?: AbortSignal
  /** It goes on when the page ends. */
  keepalive?: boolean
  /** The answer, if this was asked for already. */
  asked?: Promise<Response> | undefined
}

export async function call<T>(path: string, { method = 'GET', body, token, signal, keepalive, asked }: Options = {}): Promise<T> {
  const headers: Record<string, string> = {}
  if (body !== undefined) headers['content-type'] = 'application/json'
  if (token !== undefined) headers['authorization'] = `Bearer ${token}`
  let response: Response
  try {
    const send = () =>
      fetch(path, {
        method,
        headers,
        credentials: 'same-origin',
        ...(body !== undefined && { body: JSON.stringify(body) }),
        ...(signal && { signal }),
        ...(keepalive && { keepalive }),
      })
    response = await (asked ?? send())
  } catch (error) {
    if (signal?.aborted && !isTimeout(signal)) throw error
    throw new Problem('offline', 0, 'no answer', undefined, [])
  }
  if (response.status === 204) return undefined as T
  const json: unknown = await response.json().catch(() => undefined)
  if (response.ok) return json as T
  throw problem(response, json)
}

/** Ended because there was no answer in time, not because the answer is not wanted any more. */
const isTimeout = ({ reason }: AbortSignal): boolean => reason instanceof DOMException && reason.name === 'TimeoutError'

/** What is between the client and the server may answer in its own words: then the status is all there is. */
function problem(response: Response, json: unknown): Problem {
  const document = (typeof json === 'object' && json !== null ? json : {}) as {
    code?: string
    detail?: string
    errors?: FieldError[]
  }
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  const bytes = response.status === 413 ? /at most (\d+) bytes/.exec(document.detail ?? '')?.[1] : undefined
  const code = document.code ?? (response.status === 429 ? 'rate_limited' : response.status >= 500 ? 'unavailable' : 'internal')
  return new Problem(
    code,
    response.status,
    document.detail ?? response.statusText,
    Number.isFinite(seconds) ? seconds * 1000 : undefined,
    document.errors ?? [],
    bytes === undefined ? undefined : Number(bytes),
  )
}
