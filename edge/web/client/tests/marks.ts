/** Read marks as the model server keeps them. */

/** Where a user is: what was read, and a mark from which on it is unread again. */
export interface Reading {
  read: number;
  unread: { version: number; position: number; over: number };
  ended: number;
}

export const isCounting = ({ read, unread, ended }: Reading): boolean => unread.version > ended && read <= unread.over;

export const own = (reading: Reading): { seq: number; version: number } =>
  isCounting(reading)
    ? { seq: Math.min(reading.unread.position, reading.read), version: 2 * reading.unread.version - 1 }
    : { seq: reading.read, version: 2 * reading.unread.version };

export const unread = (): Reading => ({ read: 0, unread: { version: 0, position: 0, over: 0 }, ended: 0 });
