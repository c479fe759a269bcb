// Requests that wait for a person, by their computers, oldest first.
import type { Base64, Card } from "./core.d.ts";

export class Waiting {
  readonly #cards = new Map<string, Map<Base64, Card>>();

  get size(): number {
    return [...this.#cards.values()].reduce((n, cards) => n + cards.size, 0);
  }

  /** pairings are those of which one waits. */
  pairings(): string[] {
    return [...this.#cards.keys()];
  }

  of(pairing: string): Card[] {
    return [...(this.#cards.get(pairing)?.values() ?? [])];
  }

  has(pairing: string, request: Base64): boolean {
    return this.#cards.get(pairing)?.has(request) ?? false;
  }

  add(card: Card): void {
    this.#cards.set(card.pairing, (this.#cards.get(card.pairing) ?? new Map<Base64, Card>()).set(card.request, card));
  }

  /** take is what waited, and does not any more. */
  take(pairing: string, request: Base64): Card | undefined {
    const cards = this.#cards.get(pairing);
    const card = cards?.get(request);
    cards?.delete(request);
    if (cards?.size === 0) this.#cards.delete(pairing);
    return card;
  }
}
