/** The service worker that keeps the page for when there is no connection (src/worker). */
import { build } from './build.svelte'

const SCRIPT = '/sw.js'

/** The one script that may be run as a worker. */
const address = (): string => {
  const { trustedTypes } = window as { trustedTypes?: Factory }
  const policy = trustedTypes?.createPolicy('natter-worker', { createScriptURL: () => SCRIPT })
  return (policy?.createScriptURL(SCRIPT) ?? SCRIPT) as string
}

interface Factory {
  createPolicy(name: string, rules: { createScriptURL: (text: string) => string }): { createScriptURL(text: string): unknown }
}

let isAsked = false

/** Without it (an old browser, a private window, no https) the page needs the server each time. */
export async function keepShell(): Promise<void> {
  if (isAsked || !('serviceWorker' in navigator)) return
  isAsked = true
  navigator.serviceWorker.addEventListener('message', ({ data }: MessageEvent<{ build?: string }>) => build.seen(data.build ?? ''))
  try {
    await navigator.serviceWorker.register(address(), { updateViaCache: 'none' })
  } catch {
    // As without one.
  }
}

/** The server has another build: its worker is fetched, for the next start. */
export async function updateShell(): Promise<void> {
  const registration = await navigator.serviceWorker?.getRegistration().catch(() => undefined)
  await registration?.update().catch(() => undefined)
}
