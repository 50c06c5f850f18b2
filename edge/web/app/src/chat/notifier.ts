/**
 * Shows new messages by the system, and how many are unread by the app's icon. The one tab that has the connection does,
 * and only what no tab shows already.
 */
import type { ConversationState, Message } from '@natter/client'
import { notices } from '../lib/notices.svelte'
import { route } from '../lib/route.svelte'
import { t } from '../words'
import { preview, title } from './about'
import type { Live } from './live.svelte'

/** Milliseconds in which a tab reports that it shows the room, and messages are gathered. */
const ASK = 200
/** More rooms at once, such as after a sleep, are one notification. */
const MOST = 3
/** Characters of a message. */
const LONG = 200

type Word = { asks: string } | { shows: string }

export class Notifier {
  readonly #seen = new Map<string, number>()
  readonly #waiting = new Map<string, Message>()
  readonly #shown = new Map<string, Notification>()
  readonly #tabs = new BroadcastChannel('natter.shown')
  #timer: ReturnType<typeof setTimeout> | undefined
  #badge = -1

  constructor(readonly chat: Live) {
    this.#tabs.onmessage = ({ data }: MessageEvent<Word>) => {
      if ('shows' in data) this.#waiting.delete(data.shows)
      else if (isShown(data.asks)) this.#tabs.postMessage({ shows: data.asks } satisfies Word)
    }
  }

  /** What has come since the last time. */
  look(rooms: readonly ConversationState[]): void {
    for (const room of rooms) {
      const message = room.lastMessage
      if (!message) continue
      const before = this.#seen.get(room.id)
      this.#seen.set(room.id, message.seq)
      if (room.unread.count === 0) this.#shown.get(room.id)?.close()
      // What was there before is not new, nor is what another device has read.
      const isNew = before !== undefined && message.seq > before && message.seq > room.readSeq
      if (!isNew || message.senderId === this.chat.me || message.deletedAt || !notices.on || !this.chat.client.leads) continue
      this.#waiting.set(room.id, message)
      this.#tabs.postMessage({ asks: room.id } satisfies Word)
      this.#timer ??= setTimeout(() => this.#show(), ASK)
    }
  }

  /** Of an installed app. */
  badge(unread: number): void {
    if (!this.chat.client.leads || unread === this.#badge || !('setAppBadge' in navigator)) return
    this.#badge = unread
    void (unread > 0 ? navigator.setAppBadge(unread) : navigator.clearAppBadge()).catch(() => undefined)
  }

  #show(): void {
    this.#timer = undefined
    const waiting = [...this.#waiting].filter(([id]) => !isShown(id))
    this.#waiting.clear()
    if (waiting.length > MOST) return this.#notify('many', t.notificationMany({ count: waiting.length }), '/')
    for (const [id, message] of waiting) {
      const room = this.chat.room(id)
      if (!room) continue
      const sender = this.chat.directory.name(message.senderId) ?? t.someone
      const text = notices.content ? preview(message).slice(0, LONG) : t.notificationHidden
      const isGroup = room.info?.type === 'group'
      this.#notify(id, isGroup ? title(room, this.chat) : sender, `/c/${id}`, isGroup ? `${t.by({ name: sender })} ${text}` : text)
    }
  }

  #notify(id: string, heading: string, path: string, body = ''): void {
    try {
      const notification = new Notification(heading, { body, tag: `natter.${id}`, icon: '/icons/icon-192.png' })
      this.#shown.set(id, notification)
      notification.onclick = () => {
        window.focus()
        route.go(path)
        notification.close()
      }
      notification.onclose = () => {
        if (this.#shown.get(id) === notification) this.#shown.delete(id)
      }
    } catch {
      // Some browsers show none that a page makes.
    }
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#tabs.close()
    for (const notification of this.#shown.values()) notification.close()
    if (this.#badge > 0) void navigator.clearAppBadge().catch(() => undefined)
  }
}

const isShown = (id: string): boolean => !document.hidden && route.view.name === 'room' && route.view.id === id
