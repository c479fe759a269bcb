// When a wrapped key opens, for whom, and until when. e2e/platform_test.go has
// the passkeys; here prompts are the test's.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { ToSign } from "../src/key.ts";
import { Unlocked } from "../src/unlocked.ts";
import { card } from "./cards.ts";

const what = (request: string): ToSign => ({ pairing: "p", request, fingerprint: "f", payload: "AAAA", expires: Date.now() + 60_000, card: card(request), rule: "", wrap: "", renew: false, unwrap: "", wrapped: "" });
const live = new AbortController().signal;
const turns = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Prompt { request: string; signal: AbortSignal; done(key: CryptoKey): void; fail(err: Error): void }
interface Question { signal: AbortSignal; yes(): void; no(err: Error): void }

function house() {
  const prompts: Prompt[] = [];
  const questions = new Map<string, Question>();
  const keys = new Unlocked(
    ({ request }, signal) => new Promise((yes, no) => questions.set(request, { signal, yes, no })),
    ({ request }, signal) => new Promise((done, fail) => {
      prompts.push({ request, signal, done, fail });
      signal.addEventListener("abort", () => fail(signal.reason as Error), { once: true });
    }),
  );
  return { keys, prompts, questions };
}

const key = (): CryptoKey => ({}) as CryptoKey; // only passed on
const clock = (t: TestContext): void => t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });

test("one prompt serves all who wait; without a rule the key closes at once", async () => {
  const { keys, prompts, questions } = house();
  const all = [keys.use(what("a"), false, live), keys.use(what("b"), false, live), keys.use(what("tapped"), true, live), keys.use(what("also tapped"), true, live)];
  await turns();
  assert.deepEqual(prompts.map((p) => p.request), ["tapped"]);
  const opened = key();
  prompts[0]?.done(opened);
  assert.deepEqual(await Promise.all(all), [opened, opened, opened, opened]);
  assert.ok(questions.get("a")?.signal.aborted && questions.get("b")?.signal.aborted);
  assert.equal(keys.has("f"), false);
});

test("who does not go on refuses for one request only; a failed prompt leaves the others asked", async () => {
  const { keys, prompts, questions } = house();
  const [a, b] = [keys.use(what("a"), false, live), keys.use(what("b"), false, live)];
  const c = keys.use(what("c"), true, live);
  questions.get("a")?.no(new Error("not continued"));
  await assert.rejects(a, /not continued/);
  prompts[0]?.fail(new Error("wrong finger"));
  await assert.rejects(c, /wrong finger/);
  assert.equal(questions.get("b")?.signal.aborted, false);
  questions.get("b")?.yes();
  await turns();
  assert.deepEqual(prompts.map((p) => p.request), ["c", "b"]);
  prompts[1]?.done(key());
  await b;
});

test("a prompt ends with the last who waits for it, not before", async () => {
  const { keys, prompts } = house();
  const [one, two] = [new AbortController(), new AbortController()];
  const [a, b] = [keys.use(what("a"), true, one.signal), keys.use(what("b"), true, two.signal)];
  one.abort(new Error("withdrawn"));
  await assert.rejects(a, /withdrawn/);
  assert.equal(prompts[0]?.signal.aborted, false);
  two.abort(new Error("withdrawn, too"));
  await assert.rejects(b, /withdrawn, too/);
  assert.equal(prompts[0]?.signal.aborted, true);
  const c = keys.use(what("c"), true, live); // does not join what is ending
  assert.equal(prompts.length, 2);
  prompts[1]?.done(key());
  await c;
});

test("a rule keeps the key open until it ends, by the clock and by a timer", async (t) => {
  clock(t);
  const { keys, prompts } = house();
  keys.keep("f", Date.now() + 60_000);
  assert.equal(keys.has("f"), false); // a rule opens nothing
  const first = keys.use(what("a"), true, live);
  prompts[0]?.done(key());
  const opened = await first;
  assert.equal(await keys.use(what("b"), false, live), opened);
  t.mock.timers.tick(59_999);
  assert.equal(keys.has("f"), true);
  keys.keep("f", Date.now() + 1_000); // the longer rule was revoked
  t.mock.timers.tick(1_000);
  assert.equal(keys.has("f"), false);
  void keys.use(what("c"), true, live).catch(() => undefined);
  assert.equal(prompts.length, 2);
});

test("a rule that ends closes the key at once, and lock all of them, also one that is being opened", async (t) => {
  clock(t);
  const { keys, prompts } = house();
  const open = async (): Promise<void> => {
    const used = keys.use(what("a"), true, live);
    prompts.at(-1)?.done(key());
    await used;
  };
  keys.keep("f", Date.now() + 60_000);
  await open();
  keys.keep("f", 0);
  assert.equal(keys.has("f"), false);
  keys.keep("f", Date.now() + 60_000);
  assert.equal(keys.has("f"), false);
  await open();
  keys.lock();
  assert.equal(keys.has("f"), false);
  const used = keys.use(what("b"), true, live);
  keys.lock();
  prompts.at(-1)?.done(key());
  await used; // for this signature
  assert.equal(keys.has("f"), false);
});

test("rules of years do not overflow the timer", async (t) => {
  clock(t);
  const { keys, prompts } = house();
  keys.keep("f", Date.now() + 400 * 86_400_000);
  const used = keys.use(what("a"), true, live);
  prompts[0]?.done(key());
  await used;
  t.mock.timers.tick(1);
  assert.equal(keys.has("f"), true);
});
