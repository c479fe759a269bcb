// The number on the app's icon: how many requests wait.
import type { Shown } from "./runner.ts";

/** Icon is what of navigator draws the number, where there is such a thing. */
export interface Icon {
  setAppBadge?(n: number): Promise<void>;
  clearAppBadge?(): Promise<void>;
}

export class Badge {
  readonly #waiting = new Set<string>();

  constructor(private readonly icon: Icon) {}

  show(what: Shown): void {
    const before = this.#waiting.size;
    if (what.type === "Ask") this.#waiting.add(`${what.card.pairing} ${what.card.request}`);
    if (what.type === "Withdraw") this.#waiting.delete(`${what.pairing} ${what.request}`);
    if (this.#waiting.size !== before) this.#draw();
  }

  /** clear is for the beginning and the end of a phone at work: an earlier one may have left a number. */
  clear(): void {
    this.#waiting.clear();
    this.#draw();
  }

  // Some browsers refuse without notifications: there is no number then.
  #draw(): void {
    const n = this.#waiting.size;
    (n > 0 ? this.icon.setAppBadge?.(n) : this.icon.clearAppBadge?.())?.catch(() => undefined);
  }
}
