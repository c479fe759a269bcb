// The one rule of the effect loop: what is decided is durable before it has
// consequences. And what goes wrong around it.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Effect, Event } from "../src/core.d.ts";
import { Runner } from "../src/runner.ts";
import type { Store } from "../src/store.ts";
import { Dead, Refused } from "../src/wasm.ts";
import { fakePhone, fakeSigner } from "./fakes.ts";
import { house, put, send, sign, unpair } from "./loop.ts";

test("all records of an event are stored at once, before anything else happens", async () => {
  const note: Effect = { type: "Note", pairing: "p", computer: "c", kind: "Live", err: "", rule: "" };
  const h = house((e) => (e.type === "Unpair" ? [note, put("a"), sign, put("b")] : e.type === "Signed" ? [put("c"), send] : []), async () => undefined);
  await h.runner.post(unpair);
  await h.runner.posted();
  assert.deepEqual(h.done, ["Start", "Unpair", "stored a,b", "shown Note", "Signed", "stored c", "sent", "Told"]);
  h.end.abort();
  await h.running;
});

test("events wait for each other", async () => {
  const h = house((e) => [put(e.type)], () => new Promise((resolve) => setTimeout(resolve, 5)));
  await Promise.all([h.runner.post(unpair), h.runner.post({ type: "Tick" })]);
  assert.deepEqual(h.done, ["Start", "stored Start", "Unpair", "stored Unpair", "Tick", "stored Tick"]);
  h.end.abort();
  await h.running;
});

test("a store that fails ends the phone: nothing is signed, sent or shown", async () => {
  const h = house((e) => (e.type === "Unpair" ? [put("a"), sign, send] : []), async () => {
    throw new Error("disk full");
  });
  const running = assert.rejects(h.running, /disk full/);
  await assert.rejects(h.runner.post(unpair), /disk full/);
  await assert.rejects(h.runner.post({ type: "Tick" }), /disk full/);
  await running;
  assert.deepEqual(h.done, ["Start", "Unpair"]);
});

test("room that ends between a decision and its answer: what is signed by then is not sent", async () => {
  let answered = false;
  const h = house((e) => (e.type === "Unpair" ? [put("a"), sign] : e.type === "Signed" ? (answered = true, [put("b"), send]) : []), async (changes) => {
    if (changes.some((c) => c.key === "b")) throw new DOMException("", "QuotaExceededError");
  });
  const running = assert.rejects(h.running, { name: "QuotaExceededError" });
  await h.runner.post(unpair);
  await running;
  await assert.rejects(h.runner.post({ type: "Tick" }), { name: "QuotaExceededError" });
  assert.equal(answered, true);
  assert.deepEqual(h.done, ["Start", "Unpair", "stored a", "Signed"]);
});

test("a dead core ends the phone, a refused event does not", async () => {
  let fault: Error = new Refused("no such event");
  const h = house((e) => {
    if (e.type === "Unpair") throw fault;
    return [];
  }, async () => undefined);
  await assert.rejects(h.runner.post(unpair), Refused);
  await h.runner.post({ type: "Tick" });
  fault = new Dead("a bug");
  const running = assert.rejects(h.running, Dead);
  await assert.rejects(h.runner.post(unpair), Dead);
  await running;
});

test("a key that does not sign says why", async () => {
  const signed: Event[] = [];
  const h = house((e) => (e.type === "Signed" && signed.push(e), e.type === "Unpair" ? [sign] : []), async () => undefined, fakeSigner(() => {
    throw new Error("locked");
  }));
  await h.runner.post(unpair);
  await h.runner.posted();
  assert.deepEqual(signed, [{ type: "Signed", pairing: "p", request: "r", signature: "", failed: "locked", wrapped: "" }]);
  h.end.abort();
  await h.running;
});

const withdraw: Effect = { type: "Withdraw", pairing: "p", request: "r", why: "cancelled" };
const whenAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));

test("other events do not wait for a key; who signs does so once", async () => {
  const unlock: ((sig: string) => void)[] = [];
  const h = house((e) => (e.type === "Unpair" ? [put("a"), sign] : []), async () => undefined, fakeSigner(({ request, payload }) => {
    h.done.push(`asked ${request} ${payload}`);
    return new Promise((resolve) => unlock.push(resolve));
  }));
  await h.runner.post(unpair);
  await h.runner.post(unpair); // the same Sign again
  await h.runner.post({ type: "Tick" });
  assert.deepEqual(h.done, ["Start", "Unpair", "stored a", "asked r AAAA", "Unpair", "stored a", "Tick"]);
  unlock[0]?.("sig");
  await h.runner.posted();
  assert.deepEqual(h.done.slice(7), ["Signed"]);
  assert.equal(unlock.length, 1);
  h.end.abort();
  await h.running;
});

test("a withdrawn request ends its prompt, and only that; nothing is said of it", async () => {
  const reasons: string[] = [];
  const h = house((e) => (e.type === "Unpair" ? [sign, { ...sign, request: "other" }] : e.type === "Told" ? [withdraw] : []), async () => undefined, fakeSigner(async ({ request }, signal) => {
    const aborted = whenAborted(signal);
    return request === "r" ? aborted.catch((err: Error) => (reasons.push(err.message), Promise.reject(err))) : Promise.race([aborted, h.runner.post({ type: "Told", pairing: "p" }).then(() => "sig")]);
  }));
  await h.runner.post(unpair);
  await h.runner.posted();
  assert.deepEqual(reasons, ["the request was withdrawn"]);
  assert.deepEqual(h.done, ["Start", "Unpair", "Told", "shown Withdraw", "Signed"]);
  h.end.abort();
  await h.running;
});

test("the end does not wait for a prompt, even one that hears no signal", async () => {
  const h = house((e) => (e.type === "Unpair" ? [sign] : []), async () => undefined, fakeSigner(() => new Promise(() => undefined)));
  await h.runner.post(unpair);
  h.end.abort(new Error("over"));
  await h.running;
  assert.deepEqual(h.done, ["Start", "Unpair"]); // no Signed: the next start asks again
});

test("why a key failed is one line of bounded length", async () => {
  const failed: string[] = [];
  const h = house((e) => (e.type === "Signed" && failed.push(e.failed), e.type === "Unpair" ? [sign] : []), async () => undefined, fakeSigner(() => {
    throw new Error("no\r\n\u202egood" + "x".repeat(1000));
  }));
  await h.runner.post(unpair);
  await h.runner.posted();
  assert.deepEqual(failed, ["no good" + "x".repeat(193)]);
  h.end.abort();
  await h.running;
});

test("a store that goes away ends the phone at once", async () => {
  const gone = new AbortController();
  const store: Store = { closed: gone.signal, load: async () => ({}), commit: async () => undefined };
  const runner = new Runner({ core: fakePhone(() => []), store, signer: fakeSigner(() => "sig"), show: () => undefined, log: () => undefined }, new AbortController().signal);
  const running = assert.rejects(runner.run(), /deleted/);
  gone.abort(new Error("site data were deleted"));
  await running;
});
