/** Where the keyboard is when what had the focus is gone: at the heading of what came in its place. */
import { tick } from 'svelte'

/** For the heading of a view: takes the focus that was lost with the view before it. */
export function arrive(heading: HTMLElement): void {
  // The first view leaves the focus where the browser puts it: before everything.
  if (navigator.userActivation?.hasBeenActive) void give(heading)
}

/** For the heading of a view that is beside others: who goes there begins there, and not at the link that led to it. */
export function enter(heading: HTMLElement): void {
  if (navigator.userActivation?.hasBeenActive) heading.focus({ preventScroll: true })
}

/** For what takes the focus away, such as a dialog: gives it back, if that is still there. */
export function comeBack(opener: Element | null): void {
  if (opener instanceof HTMLElement) void give(opener)
}

async function give(element: HTMLElement): Promise<void> {
  // What is about to go still has it.
  await tick()
  const isLost = document.activeElement === null || document.activeElement === document.body
  if (isLost && element.isConnected) element.focus({ preventScroll: true })
}
