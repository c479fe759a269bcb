// What goes over Bluetooth LE: frames in segments, docs/protocol.md 5.9. As
// internal/transport/ble/segment does it.
import type { Bytes } from "../bytes.ts";

export const version = 1;
export const maxFrame = 65_536;
export const maxSegment = 500;
export const minSegment = 20; // what an MTU of 23 leaves
export const dataHeader = 8;
const minData = minSegment - dataHeader; // in each segment but a frame's last
const helloSize = 15;

export const kind = { data: 0x11, hello: 0x12, ack: 0x13, reset: 0x14, ping: 0x15, pong: 0x16, bye: 0x17 } as const;

/** Reasons of a reset: its segments contradict each other, no room now. */
export const resets = { broken: 1, busy: 2 } as const;
/** Reasons of a farewell. */
export const byes = { done: 1, crowded: 2, foreign: 3, misused: 4 } as const;

/** Start names one life of one end: 32 random bits. 0 is none. */
export type Start = number;

/** start draws one. */
export function start(): Start {
  return ((crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) | 1) >>> 0;
}

export interface Data {
  kind: typeof kind.data;
  id: number;
  total: number;
  offset: number;
  data: Bytes;
}
export interface Hello {
  kind: typeof kind.hello;
  version: number;
  start: Start; // of the sender
  seen: Start; // of the receiver, as the sender knows it
  maxFrame: number; // bytes that the sender takes
  maxSegment: number;
}
export interface Ack {
  kind: typeof kind.ack;
  id: number;
}
export interface Reset {
  kind: typeof kind.reset;
  id: number;
  reason: number;
}
export interface Bye {
  kind: typeof kind.bye;
  reason: number;
}
export type Segment = Data | Hello | Ack | Reset | Bye | { kind: typeof kind.ping } | { kind: typeof kind.pong };

/** parse reads one segment; undefined is what is none. Its data shares memory with b. */
export function parse(b: Bytes): Segment | undefined {
  if (b.length === 0 || b.length > maxSegment) return undefined;
  const v = new DataView(b.buffer, b.byteOffset, b.byteLength);
  const uint24 = (at: number): number => (v.getUint8(at) << 16) | v.getUint16(at + 1);
  switch (v.getUint8(0)) {
    case kind.data: {
      if (b.length <= dataHeader) return undefined;
      const s: Data = { kind: kind.data, id: v.getUint8(1), total: uint24(2), offset: uint24(5), data: b.subarray(dataHeader) };
      const end = s.offset + s.data.length;
      return s.total <= maxFrame && (end === s.total || (end < s.total && s.data.length >= minData)) ? s : undefined;
    }
    case kind.hello: {
      if (b.length < helloSize || b.length > minSegment) return undefined; // later versions may say more
      const s: Hello = { kind: kind.hello, version: v.getUint8(1), start: v.getUint32(2), seen: v.getUint32(6), maxFrame: uint24(10), maxSegment: v.getUint16(13) };
      return s.start !== 0 && s.maxFrame > 0 && s.maxSegment >= minSegment ? s : undefined;
    }
    case kind.ack:
      return b.length === 2 ? { kind: kind.ack, id: v.getUint8(1) } : undefined;
    case kind.reset:
      return b.length === 3 ? { kind: kind.reset, id: v.getUint8(1), reason: v.getUint8(2) } : undefined;
    case kind.ping:
      return b.length === 1 ? { kind: kind.ping } : undefined;
    case kind.pong:
      return b.length === 1 ? { kind: kind.pong } : undefined;
    case kind.bye:
      return b.length === 2 ? { kind: kind.bye, reason: v.getUint8(1) } : undefined;
    default:
      return undefined;
  }
}

/** format is the segment's bytes. */
export function format(s: Segment): Bytes {
  switch (s.kind) {
    case kind.data:
      return Uint8Array.from([s.kind, s.id, ...uint(s.total, 3), ...uint(s.offset, 3), ...s.data]);
    case kind.hello:
      return Uint8Array.from([s.kind, s.version, ...uint(s.start, 4), ...uint(s.seen, 4), ...uint(s.maxFrame, 3), ...uint(s.maxSegment, 2)]);
    case kind.ack:
      return Uint8Array.of(s.kind, s.id);
    case kind.reset:
      return Uint8Array.of(s.kind, s.id, s.reason);
    case kind.bye:
      return Uint8Array.of(s.kind, s.reason);
    default:
      return Uint8Array.of(s.kind);
  }
}

// uint is n in so many bytes, big-endian.
function uint(n: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => (n >>> (8 * (bytes - 1 - i))) & 255);
}
