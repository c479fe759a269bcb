// Where the core's records live.
import type { Base64 } from "./core.d.ts";

/** A change sets key to value, or deletes it when value is null. */
export interface Change {
  key: string;
  value: Base64 | null;
}

/**
 * A Store keeps records. commit makes all changes durable, or none. closed
 * aborts when the store has gone away and cannot come back.
 */
export interface Store {
  readonly closed?: AbortSignal;
  load(signal: AbortSignal): Promise<Record<string, Base64>>;
  commit(changes: readonly Change[], signal: AbortSignal): Promise<void>;
}

/** memoryStore forgets everything with the page: for tests. */
export function memoryStore(records: Record<string, Base64> = {}): Store {
  const kept = new Map(Object.entries(records));
  return {
    load: async () => Object.fromEntries(kept),
    commit: async (changes) => {
      for (const c of changes) {
        if (c.value === null) kept.delete(c.key);
        else kept.set(c.key, c.value);
      }
    },
  };
}
