// The relay by WebSocket; docs/protocol.md 5.4 and 5.5 say what a holder does.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { toBase64 } from "../src/bytes.ts";
import { MailboxReader } from "../src/link.ts";
import { receive } from "../src/receive.ts";
import { Closed } from "../src/socket.ts";
import { admit, type Asked, fakePhone, fakeRelay, fakeSockets, json } from "./fakes.ts";

const origin = "https://r.example";
const reader = (): MailboxReader => new MailboxReader(fakePhone(() => []), origin, "seed");
const frame = (seq: number, text: string): Uint8Array<ArrayBuffer> => new Uint8Array([0, 0, 0, 0, 0, 0, 0, seq, ...new TextEncoder().encode(text)]);

/** house receives until handle has taken n frames, or until stop. */
function house(n: number, handle: (text: string) => void = () => undefined) {
  const end = new AbortController();
  const taken: string[] = [];
  const notes: unknown[] = [];
  const ups: boolean[] = []; // what was said of the relay
  const receiving = receive(reader(), async (f) => {
    const text = atob(f);
    handle(text);
    taken.push(text);
    if (taken.length === n) setImmediate(() => end.abort(new Error("enough")));
  }, end.signal, (err) => notes.push(err), (up) => ups.push(up));
  return { end, taken, notes, ups, receiving };
}

/** onePolled is a relay with one frame for those who poll. */
const onePolled = (): Asked[] => fakeRelay(({ body }, n) =>
  body["wait_seconds"] === 25 ? new Promise(() => undefined) : json(200, n === 1 ? { frames: [{ seq: "s1", frame: btoa("polled") }] } : {}));

/** fast makes time run until the test ends: half a second in each turn of the event loop. */
function fast(t: TestContext): void {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let over = false;
  const turn = (): void => {
    if (over) return;
    t.mock.timers.tick(500);
    setImmediate(turn);
  };
  setImmediate(turn);
  t.after(() => (over = true));
}

test("a frame is acknowledged after it was taken, and polls stay out of it", async () => {
  const asked = fakeRelay(() => json(500, {}));
  const order: string[] = [];
  const all = fakeSockets((s) => {
    s.acked = (seq) => order.push(`ack ${toBase64(Uint8Array.from(seq))}`);
    admit(s, frame(1, "one"), frame(2, "two"));
  });
  const h = house(2, (text) => order.push(text));
  await h.receiving;
  assert.equal(all[0]?.url, "wss://r.example/v1/mailboxes/address-of-seed/live");
  assert.deepEqual(JSON.parse(String(all[0]?.sent[0])), { type: "proof", public_key: "pub", signature: `proof of ${btoa("n".repeat(32))} for ${origin}` });
  assert.deepEqual(order.slice(0, 3), ["one", "ack AAAAAAAAAAE=", "two"]);
  assert.equal(all[0]?.readyState, 3);
  assert.deepEqual([asked.length, h.notes.length], [0, 0]);
});

test("a frame that was rejected is not acknowledged, and comes again on the next connection", async () => {
  fakeRelay(() => json(500, {}));
  const all = fakeSockets((s, n) => admit(s, ...(n === 1 ? [frame(1, "bad"), frame(2, "good")] : [frame(1, "bad")])));
  const h = house(2, (text) => {
    if (text === "bad" && all.length === 1) throw new Error("not now");
  });
  await h.receiving;
  assert.deepEqual(h.taken, ["good", "bad"]);
  assert.deepEqual(all[0]?.sent.slice(1).map((m) => (typeof m === "string" ? m : m[7])), [2]);
});

test("without a WebSocket it polls, and stops when there is one", async (t) => {
  fast(t);
  const asked = onePolled();
  const all = fakeSockets((s, n) => (n === 1 ? s.close() : admit(s, frame(2, "live"))));
  const h = house(2);
  await h.receiving;
  assert.deepEqual(h.taken, ["polled", "live"]);
  assert.equal(all.length, 2);
  assert.deepEqual(asked.map((a) => [a.body["wait_seconds"], a.body["ack"]]), [[0, []], [25, ["s1"]]]);
});

test("a WebSocket that says nothing does not hold up polls", async (t) => {
  fast(t);
  onePolled();
  fakeSockets(() => undefined);
  const h = house(1);
  await h.receiving;
  assert.deepEqual(h.taken, ["polled"]);
});

test("one that stops answering is given up", async (t) => {
  fast(t);
  fakeRelay(() => json(500, {}));
  const all = fakeSockets((s, n) => admit(s, ...(n === 2 ? [frame(1, "one")] : [])));
  const h = house(1);
  await h.receiving;
  assert.equal(all[0]?.sent[1], '{"type":"ping"}');
  assert.match(String(h.notes[0]), /does not answer any more/);
  assert.deepEqual(h.ups, [true, false, true]);
});

test("no hostile one is told anything", async () => {
  for (const hostile of [{ type: "ready" }, { type: "challenge" }, { type: "challenge", nonce: 7 }, { type: "challenge", nonce: "AAAA" }, [], frame(1, "early"), new Uint8Array(70_000)]) {
    onePolled();
    const all = fakeSockets((s) => s.say(hostile));
    const h = house(1);
    await h.receiving;
    assert.deepEqual([h.taken, all[0]?.sent, all[0]?.readyState], [["polled"], [], 3]);
  }
});

test("a mailbox that is deleted is not received any more", async () => {
  fakeRelay(() => json(500, {}));
  const all = fakeSockets((s) => {
    admit(s);
    setImmediate(() => s.close(4010));
  });
  await house(1).receiving;
  assert.equal(all.length, 1);
});

test("a refusal of the relay is heard, not polled around, and not answered with haste", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const asked = fakeRelay(() => json(200, {}));
  const all = fakeSockets((s) => s.close(4003));
  const h = house(1);
  for (let s = 0; s < 10; s++) {
    await new Promise(setImmediate);
    t.mock.timers.tick(1000);
  }
  assert.ok(h.notes.some((n) => n instanceof Closed && n.code === 4003));
  assert.deepEqual([all.length, asked.length], [1, 0]);
  h.end.abort(new Error("enough"));
  await h.receiving;
});
