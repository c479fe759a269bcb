// Receiving a queue of Amazon SQS by long polls, docs/protocol.md 5.7. As
// internal/transport/sqs/link.go does it.
import type { SQSAddress } from "./core.d.ts";
import type { Handle } from "./receive.ts";
import { deleteMessages, isFrame, receiveMessages } from "./sqs.ts";
import { jitter, nap, onWake, sleep, within } from "./wait.ts";

const minPause = 250; // ms, after a poll that failed
const maxPause = 15_000;
const deleteLimit = 5_000;
const farewell = 3_000; // for the last deletion
const lookEvery = 1_000;

/** receiveQueue hands frames to handle until signal ends. wait is how many seconds the next poll may wait. */
export async function receiveQueue(at: SQSAddress, wait: () => number, handle: Handle, signal: AbortSignal, note: (err: unknown) => void, up: (yes: boolean) => void): Promise<void> {
  // poll hands on what there is, and deletes what was taken. It resolves to how much there was.
  const poll = async (seconds: number): Promise<number> => {
    const messages = await receiveMessages(at, seconds, signal);
    up(true);
    const done: string[] = [];
    for (const { Body, ReceiptHandle } of messages) {
      if (signal.aborted) break; // the others come again
      try {
        if (isFrame(Body)) await handle(Body);
        else note(new Error("a message in a queue is no frame"));
        done.push(ReceiptHandle);
      } catch (err) {
        note(err); // it comes again
      }
    }
    if (done.length > 0) await remove(at, done, signal);
    return messages.length;
  };
  // When the page comes back a poll that waits may hang on a network that is gone. It
  // is not ended, as at SQS it may be the one that gets the next message: until it is
  // over, others that do not wait ask beside it.
  let waits = new AbortController();
  let looking: Promise<void> | undefined;
  const look = async (over: AbortSignal): Promise<void> => {
    while (!over.aborted) {
      await poll(0).catch((err: unknown) => { if (!signal.aborted) note(err); });
      await sleep(lookEvery, over).catch(() => undefined);
    }
  };
  onWake(() => { looking ??= look(waits.signal).finally(() => (looking = undefined)); }, signal);
  let pause = minPause;
  for (let seconds = 0; !signal.aborted; ) { // the first answer comes at once, and says that it works
    const begun = Date.now();
    waits = new AbortController();
    try {
      const came = await poll(seconds);
      // An empty answer that comes early was not made by an SQS that waited.
      if (came > 0 || Date.now() - begun >= seconds * 500) {
        [pause, seconds] = [minPause, wait()];
        continue;
      }
    } catch (err) {
      if (signal.aborted) break;
      up(false);
      note(err);
      seconds = 0;
    } finally {
      waits.abort();
    }
    await nap(jitter(pause), signal).catch(() => undefined);
    pause = Math.min(2 * pause, maxPause);
  }
  await looking;
}

// remove deletes messages, also those whose content has ended the receiving.
async function remove(at: SQSAddress, handles: string[], signal: AbortSignal): Promise<void> {
  try {
    await deleteMessages(at, handles, within(deleteLimit, signal));
  } catch (err) {
    if (!signal.aborted) throw err;
    await deleteMessages(at, handles, AbortSignal.timeout(farewell));
  }
}
