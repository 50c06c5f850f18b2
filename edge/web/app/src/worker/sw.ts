/**
 * The page without a connection, and nothing else: it keeps the files of its own build, and answers with the page when
 * the server does not. Calls and sockets never pass through it, and nothing of an account is kept here.
 *
 * Files have a hash of their content in their names, so a page gets the files of its own build whichever build this
 * worker is of: from the caches, where the build before this one is kept as well, or from the server.
 */
export {}
declare const self: ServiceWorkerGlobalScope

/** Put before this file when the build is packed (tools/pack.js). */
declare const SHELL: { build: string; files: string[] }
const { build: BUILD, files: FILES } = SHELL

const PREFIX = 'natter.shell.'
const CACHE = PREFIX + BUILD
/** A page that was opened before the update may still need its own. */
const KEPT = 2
/** The server is taken for gone after this long, in milliseconds. */
const ANSWERS_WITHIN = 5_000
/** A proxy in front of a server answers so when the server is gone. */
const GONE = [502, 503, 504]

/** Not in the types yet. */
interface Routing extends ExtendableEvent {
  addRoutes?(rules: { condition: { urlPattern: { pathname: string } }; source: 'network' }): Promise<void>
}

self.addEventListener('install', (event) => {
  // Where the browser can, these do not even start the worker.
  void (event as Routing).addRoutes?.({ condition: { urlPattern: { pathname: '/api/*' } }, source: 'network' }).catch(() => undefined)
  event.waitUntil(install())
})

async function install(): Promise<void> {
  const page = await fetch('/', { cache: 'no-cache' })
  // While a server is replaced the page may be of one build, and this worker of another: it is tried again later.
  if (!page.ok || !(await page.clone().text()).includes(BUILD)) throw new Error('the page is of another build')
  const cache = await caches.open(CACHE)
  await cache.addAll(FILES)
  await cache.put('/', page)
  await self.skipWaiting()
}

self.addEventListener('activate', (event) => event.waitUntil(activate()))

async function activate(): Promise<void> {
  // In the order in which they were made.
  const names = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE)
  await Promise.all(names.slice(0, Math.max(0, names.length - KEPT + 1)).map((name) => caches.delete(name)))
  await self.clients.claim()
  for (const client of await self.clients.matchAll()) client.postMessage({ build: BUILD })
}

self.addEventListener('fetch', (event) => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (request.method !== 'GET' || origin !== location.origin) return
  if (request.mode === 'navigate') {
    if (!pathname.startsWith('/api/')) event.respondWith(page(request))
  } else if (pathname.startsWith('/assets/')) {
    event.respondWith(asset(request))
  } else if (FILES.includes(pathname)) {
    event.respondWith(fetch(request).catch(() => kept(request)))
  }
})

/** From the server, so that each load of the page has the newest build; without one, the page that is kept. */
async function page(request: Request): Promise<Response> {
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, ANSWERS_WITHIN))
  const answer = fetch(request)
  const first = await Promise.race([answer, late]).catch(() => undefined)
  if (first && !GONE.includes(first.status)) return first
  const shell = await (await caches.open(CACHE)).match('/')
  return shell ?? answer
}

async function asset(request: Request): Promise<Response> {
  return (await caches.match(request, { ignoreVary: true })) ?? fetch(request)
}

async function kept(request: Request): Promise<Response> {
  return (await caches.match(request, { ignoreVary: true })) ?? Response.error()
}
