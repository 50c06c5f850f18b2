/** Storage in the browser's IndexedDB: one database for each user, one table of keys and values. */

import { type IDBPDatabase, openDB } from "idb";

import type { Storage } from "../ports";

const TABLE = "values";

/** Opens it at the first use; a failure to open is a failure of that use, and the next one tries again. */
export function indexedDbStorage(name: string): Storage {
  let opening: Promise<IDBPDatabase> | null = null;
  const db = (): Promise<IDBPDatabase> => {
    opening ??= open(name, () => {
      opening = null;
    });
    return opening;
  };
  return {
    get: async (key) => (await db()).get(TABLE, key),
    // The browser answers when the data is on its way to the disk at the latest; strict waits for the disk.
    put: async (key, value) => {
      const tx = (await db()).transaction(TABLE, "readwrite", { durability: "strict" });
      await Promise.all([tx.store.put(value, key), tx.done]);
    },
    delete: async (key) => (await db()).delete(TABLE, key),
    scan: async (prefix) => (await db()).getAll(TABLE, IDBKeyRange.bound(prefix, `${prefix}\uffff`)),
    clear: async () => (await db()).clear(TABLE),
  };
}

async function open(name: string, gone: () => void): Promise<IDBPDatabase> {
  try {
    return await openDB(name, 1, {
      upgrade: (database) => void database.createObjectStore(TABLE),
      // Another tab wants to delete or upgrade it: this one must not stand in its way.
      blocking: (_current, _blocked, event) => {
        (event.target as IDBDatabase).close();
        gone();
      },
      terminated: gone,
    });
  } catch (error) {
    gone();
    throw error;
  }
}
