/** The views, and their addresses. */
export type View =
  | { name: 'home' }
  | { name: 'login' }
  | { name: 'register' }
  | { name: 'settings' }
  | { name: 'forgot-password' }
  | { name: 'reset-password' }
  | { name: 'confirm-email' }
  | { name: 'room'; id: string; seq: number | undefined }
  | { name: 'missing' }

/** The same addresses as the server's routes; all others are `missing`. */
export function read(path: string): View {
  const [, first = '', id, seq, ...more] = path.split('/')
  if (more.length > 0) return { name: 'missing' }
  if (first === 'c' && id && seq !== '') {
    const number = Number(seq)
    return { name: 'room', id, seq: Number.isSafeInteger(number) && number > 0 ? number : undefined }
  }
  if (id !== undefined) return { name: 'missing' }
  if (first === 'login' || first === 'register' || first === 'settings') return { name: first }
  if (first === 'forgot-password' || first === 'reset-password' || first === 'confirm-email') return { name: first }
  return { name: first === '' ? 'home' : 'missing' }
}
