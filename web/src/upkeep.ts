// What people look after: the whole log, room on the phone, what the app looks like.
import type { Base64, Chain } from "./core.d.ts";
import { Changes } from "./changes.ts";
import { type Entry, entryOf, logPrefix, textOf } from "./entry.ts";
import { copy, persist, save, share } from "./place.ts";
import { choose } from "./theme.ts";
import type { Room, Theme } from "./ui/care.ts";

const slice = 1000; // entries that are read at once

// breath lets the page draw.
const breath = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

export abstract class Upkeep extends Changes {
  protected abstract readonly changed: () => void;

  share = share;
  copy = copy;

  /** history is the whole log, newest first, as it is stored. */
  async history(): Promise<Entry[]> {
    const stored = Object.values(await this.#log());
    const all: Entry[] = [];
    for (let i = 0; i < stored.length; i += slice) {
      all.push(...stored.slice(i, i + slice).map(entryOf));
      await breath();
    }
    return all.reverse();
  }

  async verifyLog(): Promise<Chain> {
    const records = await this.#log();
    await breath();
    return this.started().core.chain(records);
  }

  /** exportLog gives people the bytes of all entries, one a line, oldest first. */
  async exportLog(): Promise<void> {
    const lines = Object.values(await this.#log()).map((r) => `${textOf(r)}\n`);
    await save(`kryptonite-log-${new Date().toISOString().slice(0, 10)}.jsonl`, lines.join(""));
  }

  async room(): Promise<Room> {
    const [kept, { usage = 0, quota = 0 }] = await Promise.all([navigator.storage.persisted(), navigator.storage.estimate()]);
    return { kept, used: usage, quota };
  }

  async keepRoom(): Promise<Room> {
    await persist();
    return this.room();
  }

  setTheme(to: Theme): void {
    choose(to);
    this.changed();
  }

  // log is in the order of its keys, as they came.
  async #log(): Promise<Record<string, Base64>> {
    return Object.fromEntries(await this.started().db.under("records", logPrefix)) as Record<string, Base64>;
  }
}
