/** Parts of the page that are loaded when they are needed, or before that, when there is nothing else to do. */

type Load<T> = () => Promise<T>

const parts: Load<unknown>[] = []
let isFetching = false

/** Declared once, by the module that shows it. A load that failed is tried again at the next call. */
export function part<T>(load: Load<T>): Load<T> {
  let loaded: Promise<T> | undefined
  const get = () => {
    loaded ??= load().catch((error: unknown) => {
      loaded = undefined
      throw error
    })
    return loaded
  }
  parts.push(get)
  if (isFetching) whenIdle(() => quietly(get))
  return get
}

/** Loads every part, one after the other, so that they are there when the connection is not. */
export function prefetch(): void {
  if (isFetching) return
  isFetching = true
  const rest = [...parts]
  const next = () => {
    const load = rest.shift()
    if (load) whenIdle(() => void quietly(load).then(next))
  }
  next()
}

/** Its failure is shown to who asks for the part, not before. */
const quietly = (load: Load<unknown>) => load().catch(() => undefined)

/** What can wait until the page has nothing to do; browsers that cannot say so wait a moment. */
export function whenIdle(run: () => void): void {
  if (typeof requestIdleCallback === 'function') requestIdleCallback(run, { timeout: 10_000 })
  else setTimeout(run, 500)
}
