/** The address as a view. */
import { read, type View } from './view'

class Route {
  view = $state.raw<View>(read(location.pathname))

  constructor() {
    addEventListener('popstate', () => (this.view = read(location.pathname)))
  }

  go(path: string, { replace = false } = {}): void {
    if (path !== location.pathname) history[replace ? 'replaceState' : 'pushState'](null, '', path)
    this.view = read(path)
  }
}

export const route = new Route()

/** Links of this page change the view; with a modifier the browser opens them as it does others. */
export function follow(event: MouseEvent): void {
  const link = (event.target as Element | null)?.closest('a')
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey
  if (!link || !plain || event.defaultPrevented || link.target || link.origin !== location.origin) return
  // An address that is the server's own: the browser goes there.
  if (link.relList.contains('external')) return
  event.preventDefault()
  route.go(link.pathname)
}
