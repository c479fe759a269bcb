// Bluetooth as a page uses it, with a browser and a computer that are strict.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Radio } from "../src/ble/radio.ts";
import { type Bytes, fromBase64, toBase64 } from "../src/bytes.ts";
import type { Computer } from "../src/core.d.ts";
import { bluetooth as words } from "../src/text/bluetooth.en.ts";
import { pattern } from "./air.ts";
import { FakeBluetooth, page, Peripheral } from "./radio.ts";

const own = "11111111-1111-8111-8111-111111111111";
const meeting = "22222222-2222-8222-8222-222222222222";
const bytes = (uuid: string): string => Buffer.from(uuid.replaceAll("-", ""), "hex").toString("base64");
const laptop: Computer = { pairing: "p", name: "laptop", bluetooth: true, live: true, paired: 0, heard: 0, forward: false };
const live = new AbortController().signal;

interface World {
  radio: Radio;
  browser: FakeBluetooth;
  document: { visibilityState: string } & EventTarget;
  heard: [string, Bytes][];
  came: string[];
  refuse: Set<string>; // frames, in base64, that the store does not take
  computers: Computer[];
  until(what: string, true_: () => boolean): Promise<void>;
  tap(pairing?: string): Promise<void>;
}

// world has a radio, and time that runs while something is awaited.
async function world(t: TestContext, services = [own], browser: FakeBluetooth | undefined = new FakeBluetooth(), more: object = {}): Promise<World> {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
  const document = page(browser, more);
  const { Radio } = await import("../src/ble/radio.ts"); // looks for a document when it is loaded
  const end = new AbortController();
  t.after(() => end.abort(new Error("the test is over")));
  const came: string[] = [];
  const [heard, refuse, computers]: [[string, Bytes][], Set<string>, Computer[]] = [[], new Set(), [laptop]];
  const radio = new Radio({
    services: (pairing) => (pairing === "q" ? [meeting] : services),
    computer: (pairing) => computers.find((c) => c.pairing === pairing),
    heard: async (pairing, frame) => {
      if (refuse.delete(frame)) throw new Error("the disk is full");
      heard.push([pairing, fromBase64(frame)]);
    },
    came: (pairing) => came.push(pairing), changed: () => undefined, note: () => undefined,
  }, end.signal);
  for (const s of services) radio.listen(bytes(s), "p");
  const until = async (what: string, true_: () => boolean): Promise<void> => {
    for (let i = 0; i < 4_000; i++) {
      await new Promise((next) => setImmediate(next));
      if (true_()) return;
      if (i % 4 === 3) t.mock.timers.tick(50);
    }
    assert.fail(`not in 50 s: ${what}`);
  };
  const tap = (pairing = "p"): Promise<void> => {
    if (browser) browser.tapped = true;
    return radio.tap(pairing);
  };
  return { radio, came, browser: browser ?? new FakeBluetooth(), document, heard, refuse, computers, until, tap };
}

const up = ({ radio }: World, pairing = "p"): boolean => radio.channels(pairing)[0]?.up === true;

async function connected(t: TestContext, services?: string[]): Promise<World & { at: Peripheral }> {
  const w = await world(t, services);
  const at = new Peripheral([own]);
  w.browser.chosen = at;
  await w.tap();
  await w.until("it is up", () => up(w));
  return { ...w, at };
}

test("frames go both ways, in segments as long as the computer's", async (t) => {
  const w = await connected(t);
  assert.deepEqual(w.browser.filters, [[own]]);
  assert.deepEqual(w.radio.channels("p"), [{ kind: "bluetooth", name: words.nearby, up: true }]);
  assert.deepEqual(w.radio.air("p"), { can: true, on: true, says: words.up, tap: words.end });
  const small = w.radio.send(bytes(own), toBase64(pattern(100)), live);
  await w.until("the first frame is there", () => w.at.heard.length === 1);
  await small;
  assert.ok(Math.max(...w.at.sizes) <= 20, "before anything long came, the MTU may be 23");
  w.at.say(pattern(3_000));
  await w.until("the computer's frame is kept", () => w.at.events.some((e) => e.type === "taken"));
  assert.deepEqual(w.heard, [["p", pattern(3_000)]]);
  w.at.sizes.length = 0;
  await Promise.all([w.radio.send(bytes(own), toBase64(pattern(64 << 10)), live), w.until("the large one is there", () => w.at.heard.length === 2)]);
  assert.deepEqual(w.at.heard, [pattern(100), pattern(64 << 10)]);
  assert.equal(Math.max(...w.at.sizes), 244);
});

test("a frame that cannot be stored comes again, and an endless crowd of them is refused", async (t) => {
  const w = await connected(t);
  w.refuse.add(toBase64(pattern(50)));
  w.at.say(pattern(50));
  await w.until("the frame is taken in the end", () => w.at.events.some((e) => e.type === "taken"));
  assert.deepEqual(w.heard, [["p", pattern(50)]]);
  for (let i = 0; i < 5_000; i++) w.at.notify(Uint8Array.from([0x11, i & 255, 0, 0, 1, 0, 0, 0, 7])); // a stranger's
  await w.radio.send(bytes(own), toBase64(pattern(30)), live);
  assert.ok(w.heard.length < 1_100, `${w.heard.length}`);
});

test("it connects again without a tap, a frame goes over the next connection, and not while nobody looks", async (t) => {
  const w = await connected(t);
  w.at.near = false;
  w.at.lose();
  await w.until("it is down", () => !up(w));
  assert.equal(w.radio.air("p")?.says, words.down);
  const sent = w.radio.send(bytes(own), toBase64(pattern(300)), live);
  const tries = (): number => w.at.asked.filter((a) => a === "connect").length;
  await w.until("it has tried", () => tries() >= 4);
  w.document.visibilityState = "hidden";
  const [before, now] = [tries(), Date.now()];
  await w.until("a minute has gone", () => Date.now() > now + 40_000);
  assert.ok(tries() <= before + 1, "the page is hidden");
  w.document.visibilityState = "visible";
  w.document.dispatchEvent(new Event("visibilitychange"));
  w.at.near = true;
  await Promise.all([sent, w.until("the frame is there", () => w.at.heard.length === 1)]);
  assert.equal(w.browser.filters.length, 1, "the person was asked once");
  assert.deepEqual(w.came, ["p", "p"]);
});

test("a computer that says nothing is left and tried again; one of another service, too", async (t) => {
  const w = await world(t);
  const at = (w.browser.chosen = new Peripheral([meeting]));
  await w.tap();
  await w.until("it has looked twice", () => at.asked.filter((a) => a === "discover").length === 2);
  assert.ok(!at.asked.includes("subscribe") && !up(w));
  at.services[0] = own;
  at.mute = true;
  await w.until("it has subscribed twice", () => at.asked.filter((a) => a === "subscribe").length === 2);
  at.mute = false;
  await w.until("it is up", () => up(w));
});

test("where they met is asked for, too, and each service has a link of its own", async (t) => {
  const w = await world(t, [own, meeting]);
  const at = (w.browser.chosen = new Peripheral([meeting]));
  await w.tap();
  await w.until("it is up", () => up(w));
  assert.deepEqual(w.browser.filters, [[own, meeting]]);
  await Promise.all([w.radio.send(bytes(meeting), "AAAA", live), w.until("the frame is there", () => at.heard.length === 1)]);
  w.radio.close(bytes(meeting));
  await w.until("it left", () => at.events.some((e) => e.type === "ended"));
  at.services[0] = own;
  await w.until("it is up by the other", () => up(w));
  assert.equal(w.browser.filters.length, 1);
});

test("two pairings at one device take turns", async (t) => {
  const w = await connected(t);
  w.computers.push({ ...laptop, pairing: "q" });
  const failed: unknown[] = [];
  w.at.addEventListener("gattserverdisconnected", () => failed.push("lost"));
  const sent = w.radio.send(bytes(own), toBase64(pattern(4_000)), live);
  w.radio.listen(bytes(meeting), "q"); // which it has not
  await w.tap("q");
  await Promise.all([sent?.catch((err: unknown) => failed.push(err)), w.until("the frame is there", () => w.at.heard.length === 1 || failed.length > 0)]);
  assert.deepEqual(failed, [], "an operation began during another");
});

test("the last word goes out before the end", async (t) => {
  const w = await connected(t);
  const said = w.radio.send(bytes(own), toBase64(pattern(700)), live);
  w.radio.close(bytes(own));
  const farewell = w.radio.send(bytes(own), toBase64(pattern(20)), live);
  await Promise.all([said, farewell, w.until("it left", () => !w.at.connected)]);
  assert.deepEqual([w.at.heard, w.radio.channels("p")], [[pattern(700), pattern(20)], []]);
  assert.deepEqual(w.at.events.at(-1), { type: "ended", why: "left" });
});

test("a tap ends it, also while it connects; a service that is closed, too", async (t) => {
  const w = await connected(t);
  await w.tap();
  await w.until("it left", () => !w.at.connected);
  assert.deepEqual([w.radio.channels("p"), w.radio.air("p")?.tap], [[], words.connect]);
  w.at.near = false;
  await w.tap();
  await w.tap();
  const tries = w.at.asked.length;
  const now = Date.now();
  await w.until("time has gone", () => Date.now() > now + 20_000);
  assert.ok(w.at.asked.length <= tries + 1);
  w.at.near = true;
  await w.tap();
  await w.until("it is up", () => up(w));
  w.radio.close(bytes(own));
  await w.until("it left again", () => !w.at.connected);
});

test("why there is no connection is said in a sentence", async (t) => {
  const w = await world(t);
  assert.equal(w.radio.air("p")?.says, words.idle);
  assert.equal(w.radio.air("")?.tap, words.connect);
  await w.tap();
  assert.equal(w.radio.air("p")?.says, words.nothing);
  for (const [text, name, says] of [
    ["User denied the browser permission to scan for Bluetooth devices.", "NotFoundError", words.denied],
    ["Web Bluetooth API globally disabled.", "NotFoundError", words.disabled],
    ["Access to the feature \"bluetooth\" is disallowed by permissions policy.", "SecurityError", words.disabled],
    ["the stack fell over", "UnknownError", words.failed("the stack fell over")],
  ] as const) {
    w.browser.refuses = new DOMException(text, name);
    await w.tap();
    assert.equal(w.radio.air("p")?.says, says);
  }
  await w.radio.tap("p"); // not in a tap
  assert.equal(w.radio.air("p")?.says, words.late);
  w.browser.turn(false);
  await w.tap();
  assert.equal(w.radio.air("p")?.says, words.off);
  assert.equal(w.radio.air("")?.says, words.off);
  w.computers[0] = { ...laptop, bluetooth: false };
  assert.deepEqual(w.radio.air("p"), { can: true, on: false, says: words.unused, tap: "" });
});

for (const [name, secure, more, says] of [
  ["Firefox", true, {}, words.none(true, false)], ["http", false, {}, words.none(false, false)],
  ["an iPhone", true, { standalone: false, maxTouchPoints: 5 }, words.none(true, true)],
] as const) {
  test(`${name} has no Bluetooth, and says why`, async (t) => {
    const w = await world(t, [own], undefined, more);
    Object.assign(globalThis, { isSecureContext: secure });
    Reflect.deleteProperty(navigator, "bluetooth");
    assert.deepEqual(w.radio.air("p"), { can: false, on: false, says, tap: "" });
    w.computers[0] = { ...laptop, bluetooth: false };
    assert.equal(w.radio.air("p"), undefined);
  });
}
