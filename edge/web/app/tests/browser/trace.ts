/** What Chromium records of the page's main thread. */
import type { Browser, Page } from 'playwright-core'

export interface TraceEvent {
  name: string
  ph: string
  pid: number
  tid: number
  /** By a clock of the machine, in µs. */
  ts: number
  /** Time of the thread on a processor, in µs: what other programs do at the same time does not count. */
  tdur?: number
  args: { name?: string; data?: { type?: string } }
}

/** Tasks, and what the page marks; each further category makes what is measured slower. */
const CATEGORIES = ['toplevel', 'blink.user_timing', '__metadata']

/** The events of main threads of pages meanwhile. */
export async function recorded(browser: Browser, page: Page, work: () => Promise<void>, ...more: string[]): Promise<TraceEvent[]> {
  await browser.startTracing(page, { categories: ['-*', ...CATEGORIES, ...more] })
  await work()
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] }
  const mains = traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain')
  return traceEvents.filter((event) => mains.some(({ pid, tid }) => event.pid === pid && event.tid === tid))
}

/** Milliseconds on a processor of each of these that took any. */
export const times = (events: readonly TraceEvent[]): number[] =>
  events.flatMap(({ ph, tdur }) => (ph === 'X' && tdur !== undefined ? [tdur / 1_000] : []))

export const isTask = ({ name }: TraceEvent): boolean => name === 'ThreadControllerImpl::RunTask'
