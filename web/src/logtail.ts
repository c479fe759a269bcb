// The newest entries of the phone's log, as they pass on their way to the store.
import type { Base64 } from "./core.d.ts";
import { type Entry, entryOf, logPrefix } from "./entry.ts";
import type { Change, Store } from "./store.ts";

const most = 200;

/** A LogTail is a store that remembers the newest records of the log. */
export class LogTail implements Store {
  #records = new Map<string, Base64>();
  #entries: Entry[] | undefined;

  constructor(private readonly store: Store) {}

  async load(signal: AbortSignal): Promise<Record<string, Base64>> {
    const records = await this.store.load(signal);
    this.#note(Object.entries(records));
    return records;
  }

  async commit(changes: readonly Change[], signal: AbortSignal): Promise<void> {
    await this.store.commit(changes, signal);
    this.#note(changes.map((c) => [c.key, c.value]));
  }

  /** newest is at most 200 entries, the newest first; throws if one cannot be read. */
  newest(): Entry[] {
    this.#entries ??= [...this.#records.values()].map(entryOf).reverse();
    return this.#entries;
  }

  #note(changes: [string, Base64 | null][]): void {
    const logged = changes.filter(([key]) => key.startsWith(logPrefix));
    if (logged.length === 0) return;
    const all = new Map(this.#records);
    for (const [key, value] of logged) {
      if (value === null) all.delete(key);
      else all.set(key, value);
    }
    const kept = [...all].sort(([a], [b]) => (a < b ? -1 : 1)).slice(-most);
    this.#records = new Map(kept);
    this.#entries = undefined;
  }
}
