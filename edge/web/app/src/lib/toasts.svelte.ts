/** Short notes at the edge of the window. */
interface Toast {
  id: number
  text: string
  tone: 'plain' | 'bad'
  action?: { label: string; run: () => void }
}

export const SHOWN = 6_000
/** More at once hide what they are about. */
const MOST = 3

class Toasts {
  items = $state.raw<readonly Toast[]>([])
  #next = 1

  add(text: string, { tone = 'plain', action }: { tone?: Toast['tone']; action?: Toast['action'] } = {}): void {
    const id = this.#next++
    this.items = [...this.items.slice(1 - MOST), { id, text, tone, ...(action && { action }) }]
    setTimeout(() => this.remove(id), SHOWN)
  }

  remove(id: number): void {
    this.items = this.items.filter((toast) => toast.id !== id)
  }
}

export const toasts = new Toasts()
