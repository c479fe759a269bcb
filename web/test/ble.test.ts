// Bluetooth's ends under any order, repeats, age and garbage; docs/protocol.md 5.9.
import assert from "node:assert/strict";
import { test } from "node:test";
import { maxFrame, minSegment } from "../src/ble/segment.ts";
import { describe, drain, pair, pattern, sha256 } from "./air.ts";

// randomly is a source of numbers below n, the same in each run.
function randomly(seed: number): (n: number) => number {
  return (n) => (seed = (seed * 48_271) % 2_147_483_647) % n;
}

test("any order and repeats make the frame, once", () => {
  const random = randomly(1);
  for (let round = 0; round < 30; round++) {
    const [a, b] = pair(minSegment + random(481));
    const frame = pattern(1 + random(round % 3 ? 3_000 : maxFrame));
    a.send(frame);
    const segments = drain(a, 0);
    for (let i = segments.length; i > 0; i--) segments.push(segments[random(segments.length)] ?? new Uint8Array());
    for (let i = segments.length - 1; i > 0; i--) {
      const j = random(i + 1);
      [segments[i], segments[j]] = [segments[j] ?? new Uint8Array(), segments[i] ?? new Uint8Array()];
    }
    const arrived = segments.flatMap((s) => b.receive(0, s));
    assert.deepEqual(arrived.map(describe), [`arrived 1 ${sha256(frame).slice(0, 16)}`]);
    b.decide(1, true);
    assert.deepEqual(drain(b, 0).flatMap((s) => a.receive(0, s)), [{ type: "taken" }]);
  }
});

test("what cannot be sent is refused", () => {
  const [a] = pair(100);
  for (const n of [0, maxFrame + 1]) assert.throws(() => a.send(new Uint8Array(n)), RangeError);
  a.send(pattern(1));
  assert.throws(() => a.send(pattern(1)), /on its way/);
  a.close(1);
  assert.throws(() => a.send(pattern(1)), /is over/);
});

test("whatever a stranger writes, it ends and stays in bounds", () => {
  const random = randomly(7);
  for (let round = 0; round < 200; round++) {
    const [a] = pair(100);
    let now = 0;
    for (let i = 0; i < 60 && a.due !== Infinity; i++) {
      const b = Uint8Array.from({ length: 1 + random(30) }, () => random(256));
      b.set([0x10 + random(9), random(3), 0, 0, 40, 0, 0, random(40)].slice(0, random(2) ? b.length : 1)); // close to a segment, or not
      a.tick((now += random(4_000)));
      for (const e of a.receive(now, b)) if (e.type === "arrived") assert.ok(e.frame.length > 0 && e.frame.length <= maxFrame);
      assert.ok(drain(a, now).length <= 20);
    }
  }
});
