/** Times as people write them. */
import { language, t } from '../words'

const formats = new Map<string, Intl.DateTimeFormat>()

function format(options: Intl.DateTimeFormatOptions, at: Date): string {
  const key = JSON.stringify(options)
  let made = formats.get(key)
  if (!made) formats.set(key, (made = new Intl.DateTimeFormat(locale(), options)))
  return made.format(at)
}

/** As in the browser's region, where its language is the one that is shown. */
const locale = (): string => navigator.languages.find((tag) => tag.split('-')[0] === language) ?? language

/** Days between the two in this time zone. */
export function daysApart(at: Date, now: Date): number {
  const day = (date: Date) => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate())
  return Math.round((day(now) - day(at)) / 86_400_000)
}

export const clock = (at: Date): string => format({ hour: 'numeric', minute: '2-digit' }, at)
/** The day alone. */
export const date = (at: Date): string => format({ dateStyle: 'medium' }, at)
export const full = (at: Date): string => format({ dateStyle: 'full', timeStyle: 'short' }, at)

/** For a divider between days. */
export function day(at: Date, now = new Date()): string {
  const days = daysApart(at, now)
  if (days === 0) return t.today
  if (days === 1) return t.yesterday
  if (days > 1 && days < 7) return format({ weekday: 'long' }, at)
  return format({ day: 'numeric', month: 'long', ...(at.getFullYear() !== now.getFullYear() && { year: 'numeric' }) }, at)
}

/** For a list: the shortest that is clear. */
export function short(at: Date, now = new Date()): string {
  const days = daysApart(at, now)
  if (days <= 0) return clock(at)
  if (days === 1) return t.yesterday
  if (days < 7) return format({ weekday: 'short' }, at)
  return format({ day: 'numeric', month: 'short', ...(at.getFullYear() !== now.getFullYear() && { year: '2-digit' }) }, at)
}
