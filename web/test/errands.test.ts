// What the worker hands to the tab that is the phone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Errand, hand, patience, perform, serve } from "../src/errands.ts";
import { Taken } from "../src/records.ts";
import type { Runner } from "../src/runner.ts";
import { house } from "./cards.ts";

const push: Errand = { type: "push", frame: "AAAA" };
const heard = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};

test("the tab that is the phone does an errand, and the worker waits for it", async () => {
  const end = new AbortController();
  const done: Errand[] = [];
  serve(async (errand) => {
    await new Promise((resolve) => setImmediate(resolve));
    done.push(errand);
  }, console.error, end.signal);
  assert.ok(await hand(push, patience.hidden));
  assert.deepEqual(done, [push]);
  end.abort();
});

test("an errand that fails in the tab fails", async () => {
  const end = new AbortController();
  const noted: unknown[] = [];
  serve(async () => { throw new Error("dead"); }, (err) => noted.push(err), end.signal);
  await assert.rejects(hand(push, patience.hidden), /did not do it/);
  assert.equal(String(noted[0]), "Error: dead");
  end.abort();
});

test("without such a tab nobody takes it", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const handed = hand(push, patience.hidden);
  t.mock.timers.tick(patience.hidden);
  assert.equal(await handed, false);
});

test("a tab that takes an errand and stops does not count", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const end = new AbortController();
  let taken: () => void = () => undefined;
  const working = new Promise<void>((resolve) => (taken = resolve));
  serve(() => (taken(), new Promise(() => undefined)), console.error, end.signal);
  const handed = assert.rejects(hand(push, patience.hidden), /did not do it/);
  await working;
  await heard();
  t.mock.timers.tick(15_000);
  await handed;
  end.abort();
});

test("a tab whose turn begins a moment later takes the errand, once", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const end = new AbortController();
  let n = 0;
  const handed = hand(push, patience.hidden);
  await heard();
  serve(async () => { n++; }, console.error, end.signal);
  t.mock.timers.tick(750); // it is said three times
  assert.equal(await handed, true);
  assert.equal(n, 1);
  end.abort();
});

test("a tab that loses its turn leaves the errand to who is the phone then", async () => {
  const end = new AbortController();
  let n = 0;
  const ended = new Promise<never>((_, no) => end.signal.addEventListener("abort", () => no(new Error("no turn any more"))));
  serve(() => (n++, ended), () => undefined, end.signal);
  const handed = assert.rejects(hand(push, patience.hidden), Taken);
  while (n === 0) await heard();
  end.abort();
  await handed;
});

test("a decision that did not go through is taken back: its card can be answered", async () => {
  for (const fails of [true, false]) {
    const said: boolean[] = [];
    const runner = { post: async () => { if (fails) throw new Error("no room"); } } as unknown as Runner;
    const desk = { runner, notices: house().notices, lockScreen: true, decided: (_: Errand, went: boolean) => void said.push(went), renew: async () => null };
    const done = perform({ type: "decide", pairing: "p", request: "a", allow: true }, desk, AbortSignal.timeout(20_000));
    await (fails ? assert.rejects(done, /no room/) : done);
    assert.deepEqual(said, fails ? [true, false] : [true]);
  }
});
