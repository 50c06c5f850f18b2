/** Which build of the client this page is of, and whether the server has another one. */

import { updateShell } from './shell'

const META = 'meta[name="natter-build"]'
const own = document.querySelector(META)?.getAttribute('content') ?? ''
/** Between two looks at the server. */
const EVERY = 30_000

class Build {
  /** The server has another build: a part that was not loaded yet may be gone. */
  isOld = $state(false)
  #lookedAt = -Infinity

  /** Another build is known to be the server's. */
  seen(build: string): void {
    if (this.isOld || build === '' || own === '' || build === own) return
    this.isOld = true
    void updateShell()
  }

  /** Compares this page with the server's. */
  async look(): Promise<void> {
    if (performance.now() - this.#lookedAt < EVERY) return
    this.#lookedAt = performance.now()
    try {
      const response = await fetch('/', { cache: 'no-cache', headers: { accept: 'text/html' } })
      if (response.ok) this.seen(/name="natter-build" content="([^"]*)"/.exec(await response.text())?.[1] ?? '')
    } catch {
      // Without a connection there is nothing to compare with.
      this.#lookedAt = -Infinity
    }
  }
}

export const build = new Build()
