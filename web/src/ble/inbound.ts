// The receiving half of a connection: frames in the making.
import type { Bytes } from "../bytes.ts";
import { type Ack, type Data, kind, type Reset, resets } from "./segment.ts";

const maxMaking = 2;
const maxSettled = 16;
const partial = 10_000; // ms of silence, until a frame in the making is dropped

// Assembly is one frame in the making.
class Assembly {
  heard = 0;
  #buf: Bytes = new Uint8Array(); // as far as anything came, and more
  #have: [from: number, to: number][] = []; // in order; neither overlap nor touch

  constructor(readonly id: number, readonly total: number) {}

  // add is false for a segment that contradicts the others: another total, other
  // bytes at a place, or half a place that is taken.
  add({ total, offset: from, data }: Data): boolean {
    if (total !== this.total) return false;
    const to = from + data.length;
    const i = this.#endsFrom(from);
    const first = this.#have[i];
    if (first && first[0] <= from && to <= first[1]) return data.every((x, at) => this.#buf[from + at] === x);
    const left = first?.[1] === from ? 1 : 0; // it ends where the segment begins
    const next = this.#have[i + left];
    if (next && next[0] < to) return false;
    const right = next?.[0] === to ? 1 : 0;
    this.#grow(to);
    this.#buf.set(data, from);
    this.#have.splice(i, left + right, [left ? (first?.[0] ?? from) : from, right ? (next?.[1] ?? to) : to]);
    return true;
  }

  whole(): Bytes | undefined {
    const [only, more] = this.#have;
    return only && !more && only[0] === 0 && only[1] === this.total ? this.#buf.subarray(0, this.total) : undefined;
  }

  // endsFrom is the first span that ends at a place or later.
  #endsFrom(at: number): number {
    let [low, high] = [0, this.#have.length];
    while (low < high) {
      const mid = (low + high) >> 1;
      if ((this.#have[mid]?.[1] ?? 0) < at) low = mid + 1;
      else high = mid;
    }
    return low;
  }

  #grow(to: number): void {
    if (to <= this.#buf.length) return;
    const bigger = new Uint8Array(Math.min(this.total, Math.max(to, 2 * this.#buf.length)));
    bigger.set(this.#buf);
    this.#buf = bigger;
  }
}

export type Answer = Ack | Reset;
interface Settled {
  id: number;
  answer: Answer | undefined; // until somebody has said
}

export class Inbound {
  #making: Assembly[] = []; // the one that was heard longest ago first
  #settled: Settled[] = []; // newest last

  /** take returns the frame that the segment made whole, and what to answer at once. */
  take(now: number, s: Data): { frame?: Bytes | undefined; answer?: Answer | undefined } {
    const known = this.#settled.find(({ id }) => id === s.id);
    if (known) return s.offset === 0 ? { answer: known.answer } : {}; // once for each time that the frame comes
    this.expire(now);
    let a = this.#making.find(({ id }) => id === s.id);
    if (a) this.#making = this.#making.filter((other) => other !== a);
    else {
      a = new Assembly(s.id, s.total);
      if (this.#making.length === maxMaking) this.#making.shift();
    }
    if (!a.add(s)) {
      const answer: Answer = { kind: kind.reset, id: s.id, reason: resets.broken };
      this.#settle({ id: s.id, answer });
      return { answer };
    }
    const frame = a.whole();
    if (frame) this.#settle({ id: s.id, answer: undefined });
    else {
      a.heard = now;
      this.#making.push(a);
    }
    return { frame };
  }

  #settle(s: Settled): void {
    if (this.#settled.push(s) > maxSettled) this.#settled.shift();
  }

  /** decide notes what becomes of a frame, and is false if nobody waits for it. */
  decide(answer: Answer): boolean {
    const s = this.#settled.find(({ id, answer: said }) => id === answer.id && !said);
    if (s) s.answer = answer;
    return s !== undefined;
  }

  expire(now: number): void {
    this.#making = this.#making.filter(({ heard }) => now - heard < partial);
  }

  /** due is when expire has something to do. */
  get due(): number {
    return (this.#making[0]?.heard ?? Infinity) + partial;
  }
}
