/** Lists that come in pages. */
import { Problem } from './api'
import { session } from './session.svelte'

export interface Page<T> {
  items: readonly T[]
  nextCursor: string | null
}

interface Options {
  cursor: string | null
  limit: number
  signal: AbortSignal
}

/** The page after the cursor. When pages are asked for too fast, waits for as long as the server asks. */
export async function readPage<T>(path: string, { cursor, limit, signal }: Options): Promise<Page<T>> {
  const query = new URLSearchParams({ limit: String(limit), ...(cursor !== null && { cursor }) })
  for (;;) {
    try {
      return await session.call<Page<T>>(`${path}?${query}`, { signal })
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'rate_limited') throw error
      await pause(error.retryAfter ?? 1_000, signal)
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(signal.reason as Error)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal.addEventListener('abort', stop, { once: true })
  })
}
