// Receiving a mailbox by long polls, docs/protocol.md 5.5.
import type { Base64 } from "./core.d.ts";
import { type MailboxReader, noFrames, type Polled } from "./link.ts";
import type { Handle } from "./receive.ts";
import { jitter, sleep } from "./wait.ts";

const wait = 25; // seconds, the longest that a relay waits
const minPause = 500; // ms
const maxPause = 15_000;
const farewell = 3_000;
const maxAcks = 256;

export class Polls {
  #acks: Base64[] = []; // repeated until a poll was answered
  // Frames that handle rejected: until then, polls ask only for those after them.
  #held: { after: Base64; until: number; pause: number } | undefined;

  constructor(readonly box: MailboxReader, readonly handle: Handle, readonly note: (err: unknown) => void, readonly up: (yes: boolean) => void) {}

  /** run polls until one fails or signal ends. worked is called after each that was answered, but the first of no frames. */
  async run(signal: AbortSignal, worked: () => void): Promise<never> {
    let pause = minPause;
    for (let first = true; ; first = false) {
      if (this.#held && Date.now() >= this.#held.until) this.#held = { ...this.#held, after: "", until: Infinity };
      const after = this.#held?.after;
      const left = after ? Math.max(0, Math.min(wait, Math.floor(((this.#held?.until ?? 0) - Date.now()) / 1000))) : wait;
      const asked = { ack: this.#acks, wait_seconds: first ? 0 : left, ...(after ? { after } : {}) };
      const begun = Date.now();
      const frames = (await this.box.poll(asked, signal)).frames ?? [];
      this.#acks = [];
      this.up(true);
      if (frames.length > 0 || !first) worked();
      await this.#take(frames);
      // An empty answer that comes early was not made by a relay that waited.
      if (frames.length > 0 || Date.now() - begun >= asked.wait_seconds * 500) pause = minPause;
      else await sleep(jitter((pause = Math.min(2 * pause, maxPause))), signal);
      if (this.#held?.after && frames.length === 0 && left === 0) {
        await sleep(Math.max(50, Math.min(1000, this.#held.until - Date.now())), signal);
      }
    }
  }

  async #take(frames: Polled[]): Promise<void> {
    let rejected = false;
    for (const f of frames) {
      try {
        await this.handle(f.frame);
        if (this.#acks.length < maxAcks) this.#acks.push(f.seq);
      } catch (err) {
        this.note(err);
        rejected = true;
      }
    }
    const last = frames.at(-1);
    if (last && rejected) {
      const pause = Math.min(maxPause, this.#held ? 2 * this.#held.pause : minPause);
      this.#held = { after: last.seq, until: Date.now() + jitter(pause), pause };
    } else if (last && this.#held?.after) this.#held = { ...this.#held, after: last.seq };
    else if (last) this.#held = undefined;
  }

  /** forget leaves it to a WebSocket to bring again what was not acknowledged. */
  forget(): void {
    this.#acks = [];
    this.#held = undefined;
  }

  /** last tells the relay what no poll has told it yet. */
  async last(): Promise<void> {
    if (this.#acks.length === 0) return;
    await this.box.poll({ ack: this.#acks, after: noFrames }, AbortSignal.timeout(farewell)).catch(this.note);
  }
}
