/** Times as people write them. */
import { language, t } from '../words'

/** Made when it is first used, and once: to make one is slow, and each row of a history has two times. */
function format(options: Intl.DateTimeFormatOptions): (at: Date) => string {
  let made: Intl.DateTimeFormat | undefined
  return (at) => (made ??= new Intl.DateTimeFormat(locale(), options)).format(at)
}

/** As in the browser's region, where its language is the one that is shown. */
const locale = (): string => navigator.languages.find((tag) => tag.split('-')[0] === language) ?? language

/** Days between the two in this time zone. */
export function daysApart(at: Date, now: Date): number {
  const day = (date: Date) => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate())
  return Math.round((day(now) - day(at)) / 86_400_000)
}

export const clock = format({ hour: 'numeric', minute: '2-digit' })
/** The day alone. */
export const date = format({ dateStyle: 'medium' })
export const full = format({ dateStyle: 'full', timeStyle: 'short' })

const weekday = format({ weekday: 'long' })
const dayOfYear = format({ day: 'numeric', month: 'long' })
const dayOfOtherYear = format({ day: 'numeric', month: 'long', year: 'numeric' })
const shortWeekday = format({ weekday: 'short' })
const shortDay = format({ day: 'numeric', month: 'short' })
const shortDayOfOtherYear = format({ day: 'numeric', month: 'short', year: '2-digit' })
const isOtherYear = (at: Date, now: Date): boolean => at.getFullYear() !== now.getFullYear()

/** For a divider between days. */
export function day(at: Date, now = new Date()): string {
  const days = daysApart(at, now)
  if (days === 0) return t.today
  if (days === 1) return t.yesterday
  if (days > 1 && days < 7) return weekday(at)
  return isOtherYear(at, now) ? dayOfOtherYear(at) : dayOfYear(at)
}

/** For a list: the shortest that is clear. */
export function short(at: Date, now = new Date()): string {
  const days = daysApart(at, now)
  if (days <= 0) return clock(at)
  if (days === 1) return t.yesterday
  if (days < 7) return shortWeekday(at)
  return isOtherYear(at, now) ? shortDayOfOtherYear(at) : shortDay(at)
}
