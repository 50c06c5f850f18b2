/** Whether the system shows new messages, on this device. Asked for in the settings, never by itself. */

const KEY = 'natter.notifications'

interface Choice {
  on: boolean
  /** Whether what was written is shown: a locked screen shows notifications, too. */
  content: boolean
}

function stored(): Choice {
  try {
    const { on, content } = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Choice>
    return { on: on === true, content: content !== false }
  } catch {
    return { on: false, content: true }
  }
}

const permission = (): NotificationPermission | 'unsupported' => ('Notification' in globalThis ? Notification.permission : 'unsupported')

class Notices {
  #choice = $state(stored())
  /** Of the browser; `unsupported` where there is no such thing. */
  permission = $state(permission())

  constructor() {
    // Chosen in another tab.
    addEventListener('storage', ({ key }) => {
      if (key !== KEY) return
      this.#choice = stored()
      this.permission = permission()
    })
  }

  get on(): boolean {
    return this.#choice.on && this.permission === 'granted'
  }

  get content(): boolean {
    return this.#choice.content
  }

  /** Asks the browser if it was not asked before. */
  async turn(on: boolean): Promise<void> {
    if (on && this.permission === 'default') this.permission = await Notification.requestPermission()
    this.#choose({ ...this.#choice, on: on && this.permission === 'granted' })
  }

  showContent(content: boolean): void {
    this.#choose({ ...this.#choice, content })
  }

  #choose(choice: Choice): void {
    this.#choice = choice
    try {
      localStorage.setItem(KEY, JSON.stringify(choice))
    } catch {
      // It holds until the page is closed.
    }
  }
}

export const notices = new Notices()
