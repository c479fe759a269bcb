// How Bluetooth ends in a page, and why there is none.
import assert from "node:assert/strict";
import { test } from "node:test";
import { toBase64 } from "../src/bytes.ts";
import { bluetooth as words } from "../src/text/bluetooth.en.ts";
import { pattern } from "./air.ts";
import { Peripheral } from "./radio.ts";
import { own, bytes, laptop, live, up, connected, world } from "./world.ts";

test("the last word goes out before the end", async (t) => {
  const w = await connected(t);
  const said = w.radio.send(bytes(own), toBase64(pattern(700)), live);
  w.radio.close(bytes(own));
  const farewell = w.radio.send(bytes(own), toBase64(pattern(20)), live);
  await Promise.all([said, farewell, w.until("it left", () => !w.at.connected)]);
  assert.deepEqual([w.at.heard, w.radio.channels("p")], [[pattern(700), pattern(20)], []]);
  assert.deepEqual(w.at.events.at(-1), { type: "ended", why: "left" });
});

test("the last word waits until the computer asks again, once", async (t) => {
  const w = await connected(t);
  w.at.near = false;
  w.at.lose();
  await w.until("it is down", () => !up(w));
  w.radio.close(bytes(own));
  const [first, again] = [AbortSignal.abort(), live].map((s) => w.radio.send(bytes(own), toBase64(pattern(700)), s));
  const later = Date.now() + 40_000;
  await w.until("all that sends otherwise has given up", () => Date.now() > later);
  w.at.near = true;
  await w.until("it is told, and left", () => w.at.heard.length > 0 && !w.at.connected);
  await first;
  await again;
  assert.deepEqual(w.at.heard, [pattern(700)]);
  assert.equal(w.radio.send(bytes(own), toBase64(pattern(1)), live), undefined);
});

test("without a last word it ends at once, and with one after ten minutes", async (t) => {
  for (const word of [false, true]) {
    const w = await connected(t);
    w.at.near = false;
    w.at.lose();
    await w.until("it is down", () => !up(w));
    w.radio.close(bytes(own));
    const told = word ? assert.rejects(w.radio.send(bytes(own), toBase64(pattern(9)), live) ?? Promise.resolve(), /ended/) : undefined;
    await w.until("a second", ((end) => () => Date.now() > end)(Date.now() + 1_000));
    if (word) t.mock.timers.tick(600_000);
    const tries = w.at.asked.length;
    await w.until("20 s", ((end) => () => Date.now() > end)(Date.now() + 20_000));
    assert.equal(w.at.asked.length, tries);
    await told;
    t.mock.timers.reset();
  }
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

for (const lost of [false, true]) {
  test(`a tap soon after the end waits for the farewell of what was before${lost ? ", and for its tries to connect" : ""}`, async (t) => {
    t.mock.method(Math, "random", () => 0); // it tries again before it leaves
    const w = await connected(t);
    await w.tap();
    if (lost) w.at.lose();
    await w.tap();
    const later = Date.now() + 3_000;
    await w.until("it is up, and stays so", () => up(w) && Date.now() > later);
    assert.ok(!w.at.asked.includes("subscribe again"), "it subscribed twice over one connection");
    w.at.say(pattern(90));
    await Promise.all([w.radio.send(bytes(own), toBase64(pattern(300)), live), w.until("both are heard", () => w.at.heard.length + w.heard.length === 2)]);
    await w.tap();
    await w.until("it left", () => !w.at.connected);
  });
}

test("a connection that comes when nobody wants it any more is left", async (t) => {
  const w = await world(t);
  const at = (w.browser.chosen = new Peripheral([own]));
  const connect = ((come = (): void => undefined) => (at.slow = new Promise((done) => (come = done)), () => come()))();
  await w.tap();
  await w.until("it connects", () => at.asked.includes("connect"));
  await w.tap();
  const later = Date.now() + 1_000;
  await w.until("nobody waits for it", () => Date.now() > later);
  at.addEventListener("gattserverdisconnected", () => at.asked.push("left"));
  connect();
  await w.until("it left", () => at.asked.includes("left") && !at.connected);
  assert.deepEqual(at.asked, ["connect", "left"]);
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
