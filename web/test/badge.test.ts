// The number on the app's icon.
import assert from "node:assert/strict";
import { test } from "node:test";
import { card } from "../gallery/fakes.ts";
import { Badge } from "../src/badge.ts";

test("the icon has the number of requests that wait, and none afterwards", () => {
  const shown: number[] = [];
  const badge = new Badge({ setAppBadge: async (n) => void shown.push(n), clearAppBadge: async () => void shown.push(0) });
  const ask = (request: string): void => badge.show({ type: "Ask", card: { ...card, request } });
  const withdraw = (request: string): void => badge.show({ type: "Withdraw", pairing: card.pairing, request, why: "" });
  badge.clear();
  ask("a");
  ask("a"); // again
  ask("b");
  withdraw("a");
  withdraw("unknown");
  withdraw("b");
  ask("c");
  badge.clear();
  withdraw("c");
  assert.deepEqual(shown, [0, 1, 2, 1, 0, 1, 0]);
});

test("a browser without numbers, or that refuses them, is none the worse", async () => {
  for (const icon of [{}, { setAppBadge: () => Promise.reject(new DOMException("", "NotAllowedError")), clearAppBadge: () => Promise.reject(new DOMException("", "NotAllowedError")) }]) {
    const badge = new Badge(icon);
    badge.show({ type: "Ask", card });
    badge.clear();
  }
  await new Promise(setImmediate); // what nobody catches ends the test
});
