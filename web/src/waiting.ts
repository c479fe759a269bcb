// Requests that wait for a person, by their computers, oldest first.
import type { Base64 } from "./core.d.ts";

/** A Request is what is told of one. */
export interface Request {
  pairing: string;
  request: Base64;
}

export class Waiting<T extends Request> {
  readonly #all = new Map<string, Map<Base64, T>>();

  get size(): number {
    return [...this.#all.values()].reduce((n, those) => n + those.size, 0);
  }

  /** pairings are those of which one waits. */
  pairings(): string[] {
    return [...this.#all.keys()];
  }

  of(pairing: string): T[] {
    return [...(this.#all.get(pairing)?.values() ?? [])];
  }

  has(pairing: string, request: Base64): boolean {
    return this.#all.get(pairing)?.has(request) ?? false;
  }

  add(one: T): void {
    this.#all.set(one.pairing, (this.#all.get(one.pairing) ?? new Map<Base64, T>()).set(one.request, one));
  }

  /** take is what waited, and does not any more. */
  take(pairing: string, request: Base64): T | undefined {
    const those = this.#all.get(pairing);
    const one = those?.get(request);
    those?.delete(request);
    if (those?.size === 0) this.#all.delete(pairing);
    return one;
  }
}
