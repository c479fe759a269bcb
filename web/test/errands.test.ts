// What the worker hands to the tab that is the phone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Errand, hand, serve } from "../src/errands.ts";

const push: Errand = { type: "push", frame: "AAAA" };

test("the tab that is the phone does an errand, and the worker waits for it", async () => {
  const end = new AbortController();
  const done: Errand[] = [];
  serve(async (errand) => {
    await new Promise((resolve) => setImmediate(resolve));
    done.push(errand);
  }, console.error, end.signal);
  assert.ok(await hand(push));
  assert.deepEqual(done, [push]);
  end.abort();
});

test("an errand that fails is told to nobody but the tab", async () => {
  const end = new AbortController();
  const noted: unknown[] = [];
  serve(async () => { throw new Error("dead"); }, (err) => noted.push(err), end.signal);
  assert.ok(await hand(push));
  assert.equal(String(noted[0]), "Error: dead");
  end.abort();
});

test("without such a tab nobody takes it", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const handed = hand(push);
  t.mock.timers.tick(1_500);
  assert.equal(await handed, false);
});
