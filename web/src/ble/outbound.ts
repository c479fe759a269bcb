// The sending half of a connection: one frame at a time.
import type { Bytes } from "../bytes.ts";
import { dataHeader, type Data, kind, maxFrame, resets } from "./segment.ts";

const ackWait = 5_000; // ms, after a frame's last segment
const busyPause = 1_000;
const maxTries = 3; // of one frame

/** Outcome of a frame: taken by the other end, or given up. */
export type Outcome = { type: "taken" } | { type: "failed"; why: "too large" | "not taken" };

export class Outbound {
  #frame: Bytes | undefined;
  #size = 0; // bytes of data in each segment of this id; 0: not begun
  #at = 0; // of the next segment
  #whole = false; // all of it was written under this id
  #tries = 0;
  #after = Infinity; // a pause ends then
  #until = Infinity; // for its acknowledgement

  constructor(private id: number) {}

  send(frame: Bytes, most: number): void {
    if (this.#frame) throw new Error("another frame is on its way");
    if (frame.length === 0 || frame.length > Math.min(maxFrame, most)) throw new RangeError("the frame is empty or too large");
    [this.#frame, this.#tries] = [frame.slice(), 1];
  }

  /** next is the next segment, of at most size bytes. */
  next(now: number, size: number): Data | undefined {
    if (!this.#frame || this.#at === this.#frame.length || (this.#after !== Infinity && now < this.#after)) return undefined;
    if (this.#size > size - dataHeader) this.#renew(); // segments of another size would contradict those before
    this.#size ||= size - dataHeader;
    const data = this.#frame.subarray(this.#at, this.#at + this.#size);
    const s: Data = { kind: kind.data, id: this.id, total: this.#frame.length, offset: this.#at, data };
    if ((this.#at += data.length) === this.#frame.length) [this.#whole, this.#until] = [true, now + ackWait];
    return s;
  }

  acked(id: number): Outcome[] {
    if (!this.#frame || id !== this.id || !this.#whole) return [];
    this.#done();
    return [{ type: "taken" }];
  }

  reset(now: number, id: number, reason: number): Outcome[] {
    if (!this.#begun || id !== this.id) return [];
    this.#renew();
    return this.#again(reason === resets.busy ? now + busyPause : Infinity);
  }

  /** restart: the other end has forgotten all. */
  restart(): Outcome[] {
    return this.#begun ? this.#again(Infinity) : [];
  }

  /** limit: the other end takes no larger frames. */
  limit(bytes: number): Outcome[] {
    return this.#frame && this.#frame.length > bytes ? this.#fail("too large") : [];
  }

  tick(now: number): Outcome[] {
    if (now >= this.#after) this.#after = Infinity;
    return now >= this.#until ? this.#again(Infinity) : [];
  }

  /** due is when tick, or next after a pause, has something to do. */
  get due(): number {
    return Math.min(this.#after, this.#until);
  }

  get #begun(): boolean {
    return this.#frame !== undefined && this.#size > 0;
  }

  // again sends the frame once more, or gives it up. What was written under the same id still counts.
  #again(after: number): Outcome[] {
    if (this.#tries === maxTries) return this.#fail("not taken");
    this.#tries++;
    [this.#at, this.#after, this.#until] = [0, after, Infinity];
    return [];
  }

  #fail(why: "too large" | "not taken"): Outcome[] {
    this.#done();
    return [{ type: "failed", why }];
  }

  // renew begins anew under another id.
  #renew(): void {
    this.id = (this.id + 1) & 255;
    [this.#size, this.#at, this.#whole, this.#until] = [0, 0, false, Infinity];
  }

  #done(): void {
    this.#renew();
    [this.#frame, this.#after] = [undefined, Infinity];
  }
}
