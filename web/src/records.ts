// The core's records in the browser's database.
import type { Base64 } from "./core.d.ts";
import type { Database } from "./idb.ts";
import type { Change, Store } from "./store.ts";

/** Taken says that another tab has become the phone: this one must stop. */
export class Taken extends Error {}

const holder = "holder"; // in settings: who loaded the records last

/**
 * idbStore is the core's store. Who loads takes it over: commits of whoever
 * loaded before fail with Taken, should they still come.
 */
export function idbStore(db: Database): Store {
  const self = crypto.randomUUID();
  return {
    closed: db.closed,
    load: async (signal) => {
      signal.throwIfAborted();
      const [keys, values] = await db.change(["records", "settings"], (t) => {
        t("settings").put(self, holder);
        return [t("records").getAllKeys(), t("records").getAll()] as const;
      });
      return Object.fromEntries(keys.result.map((key, i): [string, Base64] => {
        const value: unknown = values.result[i];
        if (typeof key !== "string" || typeof value !== "string") throw new Error("this app's storage is damaged");
        return [key, value];
      }));
    },
    commit: async (changes: readonly Change[], signal) => {
      signal.throwIfAborted(); // not later: what is under way becomes durable
      await db.change(["records", "settings"], (t, stop) => {
        const asked = t("settings").get(holder);
        asked.onsuccess = () => {
          if (asked.result !== self) stop(new Taken("another tab is the phone now"));
        };
        for (const { key, value } of changes) {
          if (value === null) t("records").delete(key);
          else t("records").put(value, key);
        }
      });
    },
  };
}
