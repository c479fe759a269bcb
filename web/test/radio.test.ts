// Bluetooth as a page uses it, with a browser and a computer that are strict.
import assert from "node:assert/strict";
import { test } from "node:test";
import { toBase64 } from "../src/bytes.ts";
import { bluetooth as words } from "../src/text/bluetooth.en.ts";
import { pattern } from "./air.ts";
import { Peripheral } from "./radio.ts";
import { own, meeting, bytes, laptop, live, up, connected, world } from "./world.ts";

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
