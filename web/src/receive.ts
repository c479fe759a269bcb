// Receiving a mailbox by long polls, docs/protocol.md 5.5.
import type { Base64 } from "./core.d.ts";
import { type MailboxReader, noFrames, RelayError } from "./link.ts";
import { jitter, sleep } from "./wait.ts";

const wait = 25; // seconds, the longest that a relay waits
const minPause = 500; // ms
const maxPause = 30_000;
const farewell = 3_000;
const maxAcks = 256;

/** handle stores what a frame says; one that it rejects comes again later. */
export type Handle = (frame: Base64) => Promise<void>;

/** receive hands frames to handle until signal ends or the mailbox is deleted. */
export async function receive(box: MailboxReader, handle: Handle, signal: AbortSignal, note: (err: unknown) => void): Promise<void> {
  let acks: Base64[] = []; // repeated until a poll was answered
  let pause = minPause;
  let held: { after: Base64; until: number; pause: number } | undefined; // frames that handle rejected
  try {
    for (let first = true; ; ) {
      signal.throwIfAborted();
      if (held && Date.now() >= held.until) held = { ...held, after: "", until: Infinity };
      const left = held?.after ? Math.max(0, Math.min(wait, Math.floor((held.until - Date.now()) / 1000))) : wait;
      const asked = { ack: acks, wait_seconds: first ? 0 : left, ...(held?.after ? { after: held.after } : {}) };
      const begun = Date.now();
      try {
        const frames = (await box.poll(asked, signal)).frames ?? [];
        first = false;
        acks = [];
        let rejected = false;
        for (const f of frames) {
          try {
            await handle(f.frame);
            if (acks.length < maxAcks) acks.push(f.seq);
          } catch (err) {
            note(err);
            rejected = true;
          }
        }
        const last = frames.at(-1);
        if (last && rejected) {
          const longer = Math.min(maxPause, held ? 2 * held.pause : minPause);
          held = { after: last.seq, until: Date.now() + jitter(longer), pause: longer };
        } else if (last && held?.after) held = { ...held, after: last.seq };
        else if (last) held = undefined;
        // An empty answer that comes early was not made by a relay that waited.
        if (frames.length > 0 || Date.now() - begun >= asked.wait_seconds * 500) pause = minPause;
        else await sleep(jitter((pause = Math.min(2 * pause, maxPause))), signal);
        if (held?.after && frames.length === 0 && left === 0) await sleep(Math.max(50, Math.min(1000, held.until - Date.now())), signal);
      } catch (err) {
        if (signal.aborted || (err instanceof RelayError && err.status === 410)) return;
        note(err);
        first = true; // the next one comes back at once, to see that polls work
        await sleep(jitter(pause), signal);
        pause = Math.min(2 * pause, maxPause);
      }
    }
  } catch (err) {
    if (!signal.aborted) throw err;
  } finally {
    if (acks.length > 0) await box.poll({ ack: acks, after: noFrames }, AbortSignal.timeout(farewell)).catch(note);
  }
}
