// Bluetooth's ends, for tests.
import { createHash } from "node:crypto";
import { Conn, type Event } from "../src/ble/conn.ts";
import type { Bytes } from "../src/bytes.ts";

export const sha256 = (...parts: Bytes[]): string => createHash("sha256").update(Buffer.concat(parts)).digest("hex");
export const pattern = (n: number): Bytes => Uint8Array.from({ length: n }, (_, i) => i * 7 + (i >> 8));

export function drain(c: Conn, now: number): Bytes[] {
  const out: Bytes[] = [];
  for (let s = c.next(now); s; s = c.next(now)) out.push(s);
  return out;
}

export function describe(e: Event): string {
  switch (e.type) {
    case "arrived": return `arrived ${e.id} ${sha256(e.frame).slice(0, 16)}`;
    case "taken": return "taken";
    default: return `${e.type} ${e.why}`;
  }
}

// A pair of ends that know each other.
export function pair(most: number): [Conn, Conn] {
  const [a, b] = [new Conn(0, 1 << 24, most), new Conn(0, 2 << 24, most)];
  for (let i = 0; i < 3; i++) {
    for (const s of drain(a, 0)) b.receive(0, s);
    for (const s of drain(b, 0)) a.receive(0, s);
  }
  return [a, b];
}
