// Requests under a rule whose key waits for a tap: each ends once, by a tap, a
// withdrawal or its time.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Unlock } from "../src/ui/view.ts";
import { Unlocks } from "../src/unlocks.ts";
import { card } from "./cards.ts";

const what = (request: string): Unlock => ({ card: card(request, { expires: Date.now() + 60_000 }), rule: null });

function house(t: TestContext) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
  let drawn = 0;
  const unlocks = new Unlocks(() => drawn++);
  const ask = (request: string, signal = new AbortController().signal): Promise<string> =>
    unlocks.ask(what(request), signal).then(() => "continued", (err: unknown) => String(err));
  return { unlocks, ask, drawn: () => drawn, shown: () => unlocks.list().map((u) => u.card.request) };
}

test("a question goes away with its time, and only then", async (t) => {
  const { ask, shown, unlocks, drawn } = house(t);
  const first = ask("a");
  assert.equal(unlocks.list()[0]?.card.expires, 1_060_000);
  t.mock.timers.tick(30_000);
  const second = ask("b");
  t.mock.timers.tick(29_999);
  assert.deepEqual(shown(), ["a", "b"]);
  const before = drawn();
  t.mock.timers.tick(1);
  assert.deepEqual(shown(), ["b"]);
  assert.equal(drawn(), before + 1);
  assert.equal(await first, "Error: nobody continued on the phone in time");
  t.mock.timers.tick(30_000);
  assert.deepEqual(shown(), []);
  await second;
});

test("what is answered or withdrawn is not ended again by its time", async (t) => {
  const { ask, shown, unlocks, drawn } = house(t);
  const end = new AbortController();
  const all = [ask("a"), ask("b"), ask("c", end.signal)];
  const [a, b] = unlocks.list();
  assert.ok(a && b);
  unlocks.answer(a, true);
  unlocks.answer(b, false);
  end.abort(new Error("the request was withdrawn"));
  assert.deepEqual(shown(), []);
  assert.deepEqual(await Promise.all(all), ["continued", "Error: not continued on the phone", "Error: the request was withdrawn"]);
  const before = drawn();
  unlocks.answer(a, false);
  t.mock.timers.tick(120_000);
  assert.equal(drawn(), before);
});

test("what was withdrawn before it was shown is not shown", async (t) => {
  const { ask, shown, drawn } = house(t);
  assert.equal(await ask("a", AbortSignal.abort(new Error("gone"))), "Error: gone");
  assert.deepEqual(shown(), []);
  assert.equal(drawn(), 0);
});
