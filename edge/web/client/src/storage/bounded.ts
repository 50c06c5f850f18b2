/** Storage that answers in time: a browser may leave a database closed to this page without ever saying so. */

import type { Clock, Storage } from "../ports";

/** Far more than a slow disk takes. Until then a message is not sent, and nothing that is stored is shown. */
export const ANSWERS_WITHIN = 5_000;

export function bounded(storage: Storage, clock: Clock): Storage {
  const within = <T>(answer: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const cancel = clock.after(ANSWERS_WITHIN, () => reject(new Error("storage does not answer")));
      void answer.then(resolve, reject).finally(cancel);
    });
  return {
    get: (key) => within(storage.get(key)),
    put: (key, value) => within(storage.put(key, value)),
    delete: (key) => within(storage.delete(key)),
    scan: (prefix) => within(storage.scan(prefix)),
    clear: () => within(storage.clear()),
  };
}
