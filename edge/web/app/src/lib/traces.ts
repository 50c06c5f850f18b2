/** What is kept on this device of whoever was logged in. Whoever logs in next is another person. */
import { DATABASE } from '../early'

/** Entries of `localStorage` that belong to an account; others, such as the theme, belong to the device. */
const OF_ACCOUNT = ['natter.draft.', 'natter.names']

/** Settles when it is done, as far as the browser allows. Without storage there is nothing to wipe. */
export async function wipe(): Promise<void> {
  try {
    for (const key of Object.keys(localStorage)) if (OF_ACCOUNT.some((prefix) => key.startsWith(prefix))) localStorage.removeItem(key)
    const known = await indexedDB.databases()
    await Promise.all(known.map(({ name }) => (name?.startsWith(DATABASE) ? remove(name) : undefined)))
  } catch {
    // As above.
  }
}

/** Waits for pages that have it open: they close it when they are asked to. */
function remove(name: string): Promise<void> {
  return new Promise((resolve) => {
    const request = indexedDB.deleteDatabase(name)
    request.onsuccess = request.onerror = () => resolve()
  })
}
