// Bluetooth's segments and the rules of one connection: vectors/ble_segments.json,
// which Go reads too; docs/protocol.md 5.9.
import assert from "node:assert/strict";
import { test } from "node:test";
import file from "../../vectors/ble_segments.json";
import { Conn, type Event } from "../src/ble/conn.ts";
import { format, kind, maxFrame, maxSegment, parse, type Segment } from "../src/ble/segment.ts";
import { type Bytes, toHex } from "../src/bytes.ts";
import { describe, drain, pattern, sha256 } from "./air.ts";

interface Vector {
  name: string; kind: string; expect: string; segment: string; type: number; id: number; total: number; offset: number; data: string;
  reason: number; version: number; start: string; seen: string; max_frame: number; max_segment: number;
  most: number; peer_segment: number; length: number; count: number; sha256: string;
  steps: { at: number; do: string; bytes: string; events: string[]; out: string[] }[];
}
const vectors = file.vectors as unknown as Vector[]; // each kind has some of the fields
const unhex = (s: string): Bytes => Uint8Array.from(Buffer.from(s, "hex"));
const hello = (start: number, seen: number, longest = maxSegment): Bytes =>
  format({ kind: kind.hello, version: 1, start, seen, maxFrame, maxSegment: longest });

function fields(v: Vector): Segment {
  const [start, seen] = [parseInt(v.start, 16), parseInt(v.seen, 16)];
  switch (v.type) {
    case kind.data: return { kind: kind.data, id: v.id, total: v.total, offset: v.offset, data: unhex(v.data) };
    case kind.hello: return { kind: kind.hello, version: v.version, start, seen, maxFrame: v.max_frame, maxSegment: v.max_segment };
    case kind.ack: return { kind: kind.ack, id: v.id };
    case kind.reset: return { kind: kind.reset, id: v.id, reason: v.reason };
    case kind.bye: return { kind: kind.bye, reason: v.reason };
    default: return { kind: v.type === kind.ping ? kind.ping : kind.pong };
  }
}

function of(which: string): Vector[] {
  const found = vectors.filter((v) => v.kind === which);
  assert.ok(found.length > 0, which);
  return found;
}

test("what is a segment, and what is none", () => {
  for (const v of of("parse")) {
    const b = unhex(v.segment);
    const got = parse(b);
    if (v.expect !== "ok") {
      assert.equal(got, undefined, v.name);
      continue;
    }
    assert.deepEqual(got, fields(v), v.name);
    assert.equal(toHex(format(fields(v))), toHex(v.type === kind.hello ? b.subarray(0, 15) : b), v.name);
  }
});

test("a frame in segments", () => {
  for (const v of of("split")) {
    const start = parseInt(v.start, 16);
    const c = new Conn(0, start, v.most);
    c.receive(0, hello(2, start, v.peer_segment));
    c.next(0);
    c.send(pattern(v.length));
    const out = drain(c, 0);
    assert.deepEqual([out.length, sha256(...out)], [v.count, v.sha256], v.name);
  }
});

test("what one end answers, step by step", () => {
  for (const v of of("talk")) {
    const c = new Conn(0, parseInt(v.start, 16), v.most);
    v.steps.forEach((s, i) => {
      const arg = unhex(s.bytes);
      let events: Event[] = [];
      switch (s.do) {
        case "receive": events = c.receive(s.at, arg); break;
        case "send": c.send(arg); break;
        case "ack": c.decide(arg[0] ?? 0, true); break;
        case "refuse": c.decide(arg[0] ?? 0, false); break;
        case "tick": events = c.tick(s.at); break;
        case "close": c.close(arg[0] ?? 0); break;
        default: assert.equal(s.do, "next");
      }
      assert.deepEqual([events.map(describe), drain(c, s.at).map(toHex)], [s.events, s.out], `${v.name}, step ${i}`);
      assert.ok(c.tick(s.at).length === 0 && c.due > s.at, `${v.name}, step ${i}: due at ${c.due}`);
    });
  }
});
