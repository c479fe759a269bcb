// Requests that are allowed, but whose key waits for the person.
import type { Unlock } from "./ui/view.ts";

interface Pending extends Unlock {
  settle(refused?: Error): void;
}

export class Unlocks {
  #pending: Pending[] = [];

  constructor(private readonly changed: () => void) {}

  list(): Unlock[] {
    return this.#pending;
  }

  /** ask resolves in the tap on Continue; it rejects on Not now, and when the computer has given up. */
  async ask(what: Unlock, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const ended = (): void => settle(signal.reason as Error);
      const timer = setTimeout(() => settle(new Error("nobody continued on the phone in time")), what.card.expires - Date.now());
      const settle = (refused?: Error): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", ended);
        this.#pending = this.#pending.filter((p) => p !== pending);
        if (refused) reject(refused);
        else resolve();
        this.changed();
      };
      const pending: Pending = { ...what, settle };
      signal.addEventListener("abort", ended, { once: true });
      this.#pending = [...this.#pending, pending];
      this.changed();
    });
  }

  /** answer lets a request go on, or ends it. */
  answer({ card }: Unlock, go: boolean): void {
    const pending = this.#pending.find((p) => p.card.pairing === card.pairing && p.card.request === card.request);
    pending?.settle(go ? undefined : new Error("not continued on the phone"));
  }
}
