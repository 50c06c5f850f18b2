/** Storage that ends with the page: for private windows, tests, and programs that keep nothing. */

import type { Storage } from "../ports";

export function memoryStorage(): Storage {
  const values = new Map<string, unknown>();
  return {
    get: async (key) => structuredClone(values.get(key)),
    put: async (key, value) => void values.set(key, structuredClone(value)),
    delete: async (key) => void values.delete(key),
    scan: async (prefix) =>
      [...values.keys()]
        .filter((key) => key.startsWith(prefix))
        .sort()
        .map((key) => structuredClone(values.get(key))),
    clear: async () => values.clear(),
  };
}
