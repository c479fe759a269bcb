// Requests that are alike are one question: same pairing, user, host key, key.
import type { Card } from "../core.d.ts";

export type Group = [Card, ...Card[]];

/** cardId names a request among all pairings. */
export function cardId(card: Card): string {
  return `${card.pairing} ${card.request}`;
}

/** groups keeps the order of the oldest of each. Content that nobody saw is never alike, nor is a host without a key. */
export function groups(cards: Card[]): Group[] {
  const out = new Map<string, Group>();
  for (const card of cards) {
    const h = card.host;
    const alike = card.namespace === "" && h.fingerprint !== "";
    const id = alike
      ? JSON.stringify([card.pairing, card.keyName, card.user, h.fingerprint, h.proof, h.local, h.path, card.hostName, card.called, card.known])
      : cardId(card);
    const group = out.get(id);
    if (group) group.push(card);
    else out.set(id, [card]);
  }
  return [...out.values()];
}

export type Known = "proved" | "vouched" | "bound" | "reported" | "unknown";

/** known is how the host is known. A name without any key is the computer's word. */
export function known(card: Card): Known {
  if (card.host.proof !== "unknown") return card.host.proof;
  return card.reported.host === "" ? "unknown" : "reported";
}
