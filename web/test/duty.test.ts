// The worker has one turn at a time: who comes while it ends joins the next.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { type Errand, patience, serve } from "../src/errands.ts";
import { Duty } from "../sw/duty.ts";

type Granted = (lock: object | null) => Promise<unknown>;

// Web Locks, as far as a worker alone needs them: one holder, others in line or, with ifAvailable, none.
beforeEach(() => {
  const held = new Map<string, Promise<unknown>>();
  const request = async (name: string, ...[options, given]: [LockOptions, Granted] | [Granted]): Promise<unknown> => {
    const [o, work] = given ? [options as LockOptions, given] : [{}, options as Granted];
    if (o.ifAvailable && held.has(name)) return work(null);
    const before = held.get(name);
    const mine = (async () => (await before?.catch(() => undefined), work({})))();
    held.set(name, mine);
    return mine.finally(() => {
      if (held.get(name) === mine) held.delete(name);
    });
  };
  Object.defineProperty(globalThis, "navigator", { value: { locks: { request } }, configurable: true });
});

const push = (frame: string): Errand => ({ type: "push", frame });
const reject: Errand = { type: "decide", pairing: "p", request: "b", allow: false };
const ticks = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};

// A worker whose shifts are over when the test says so.
function house() {
  const shifts: { did: Errand[]; over: boolean; end(): void }[] = [];
  const duty = new Duty(() => {
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const shift = { did: [] as Errand[], over: false, end: () => ((shift.over = true), end()) };
    shifts.push(shift);
    return {
      run: async (errand: Errand) => (shift.did.push(errand), ended),
      do: async (errand: Errand) => !shift.over && (shift.did.push(errand), true),
    };
  }, async () => false);
  return { shifts, duty };
}

test("pushes that come while a turn ends share the next one, and a tap on what they showed is done at once", async () => {
  const { shifts, duty } = house();
  const all = [duty.do(push("a"))];
  await ticks();
  const [first] = shifts;
  assert.ok(first);
  first.over = true; // it does nothing more, and holds the phone still
  all.push(duty.do(push("b")), duty.do(push("c")));
  await ticks();
  first.end();
  await ticks();
  all.push(duty.do(reject));
  await ticks();
  assert.deepEqual(shifts.map((s) => s.did), [[push("a")], [push("b"), push("c"), reject]]);
  shifts.forEach((s) => s.end());
  await Promise.all(all);
});

test("after a shift that failed there is another", async () => {
  let fails = true;
  const done: Errand[] = [];
  const duty = new Duty(() => ({
    run: async (errand) => {
      if (fails) throw new Error("it could not be loaded");
      done.push(errand);
    },
    do: async () => false,
  }), async () => false);
  await assert.rejects(duty.do(push("a")), /could not be loaded/);
  fails = false;
  await duty.do(push("b"));
  assert.deepEqual(done, [push("b")]);
});

test("a tab that has just taken the phone is not robbed of it while it starts", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  let steals = 0;
  const request = async (_: string, ...[options, given]: [LockOptions, Granted] | [Granted]): Promise<unknown> => {
    if (!given) return (options as Granted)(null);
    if (!(options as LockOptions).steal) return given(null); // a tab has it
    steals++;
    throw new DOMException("the tab took it back", "AbortError");
  };
  Object.defineProperty(globalThis, "navigator", { value: { locks: { request } }, configurable: true });
  for (const seen of [false, true]) {
    const end = new AbortController();
    const did: Errand[] = [];
    steals = 0;
    const done = new Duty(() => ({ run: async () => undefined, do: async () => false }), async () => seen).do(push("a"));
    await ticks();
    t.mock.timers.tick(patience.hidden);
    await ticks();
    assert.equal(steals, seen ? 0 : 1, "one that nobody sees may be suspended");
    t.mock.timers.tick(2 * patience.hidden);
    await ticks();
    serve(async (errand) => void did.push(errand), console.error, end.signal);
    t.mock.timers.tick(250);
    await ticks();
    await done;
    assert.deepEqual([steals, did], [seen ? 0 : 1, [push("a")]]);
    end.abort();
  }
});
