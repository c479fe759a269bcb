// Receiving a mailbox: by WebSocket, and by long polls where there is none to be
// had, until there is. As internal/transport/relay does it.
import type { Base64 } from "./core.d.ts";
import { connect, live } from "./live.ts";
import { type MailboxReader, RelayError } from "./link.ts";
import { Polls } from "./polls.ts";
import { Closed, type Socket } from "./socket.ts";
import { jitter, nap, sleep } from "./wait.ts";

/** handle stores what a frame says; one that it rejects comes again later. */
export type Handle = (frame: Base64) => Promise<void>;

const minPause = 250; // ms, between two tries to receive at all
const maxPause = 15_000;
const patience = 3_000; // for a WebSocket, before polls begin beside it
const firstRetry = 15_000; // between two tries for a WebSocket while polls work
const lastRetry = 300_000;
const steady = 30_000; // what lasted longer worked

/** receive hands frames to handle until signal ends or the mailbox is deleted. up is told whether the relay can be had. */
export async function receive(box: MailboxReader, handle: Handle, signal: AbortSignal, note: (err: unknown) => void, up: (yes: boolean) => void): Promise<void> {
  const polls = new Polls(box, handle, note, up);
  for (let pause = minPause; !signal.aborted; pause = Math.min(2 * pause, maxPause)) {
    const begun = Date.now();
    let worked = false;
    try {
      await once(box, polls, handle, signal, () => (worked = true), note, up);
    } catch (err) {
      if (signal.aborted || is(err, 4010, 410)) break;
      up(false);
      note(err);
      if (worked || Date.now() - begun > steady) pause = minPause;
      if (is(err, 4001, 409) || is(err, 4003, 403) || is(err, 4029, 429)) pause = maxPause; // haste would only make it worse
    }
    await nap(jitter(pause), signal).catch(() => undefined);
  }
  await polls.last();
}

// is reports what the relay says, by WebSocket or by HTTP.
function is(err: unknown, code: number, status: number): boolean {
  return (err instanceof Closed && err.code === code) || (err instanceof RelayError && err.status === status);
}

// once receives until something fails. If polls fail, too, it is not the
// WebSocket that is blocked.
async function once(box: MailboxReader, polls: Polls, handle: Handle, signal: AbortSignal, worked: () => void, note: (err: unknown) => void, up: (yes: boolean) => void): Promise<void> {
  const end = new AbortController();
  const here = AbortSignal.any([signal, end.signal]);
  const dialler = new Dialler(box, here, note);
  let socket: Socket | undefined;
  try {
    const failed = dialler.failed.then((err) => {
      if (err instanceof Closed && (err.code === 4003 || err.code === 4029)) throw err; // the relay's own words
    });
    socket = (await Promise.race([dialler.up, failed, sleep(patience, here)])) ?? undefined;
    socket ??= await poll(polls, dialler, here, worked);
    up(true);
    polls.forget();
    await live(socket, handle, signal, worked, note);
  } finally {
    end.abort(new Error("receiving begins anew"));
    if (!socket) dialler.up.then((late) => late.fail(new Error("it came too late")), () => undefined);
  }
}

// poll polls until there is a WebSocket. The relay tells a poll that it is
// replaced perhaps before it tells the WebSocket that it is ready.
async function poll(polls: Polls, { up, won }: Dialler, signal: AbortSignal, worked: () => void): Promise<Socket> {
  try {
    return await polls.run(AbortSignal.any([signal, won.signal]), worked);
  } catch (err) {
    if (!won.signal.aborted && !is(err, 4001, 409)) throw err;
    return Promise.race([up, sleep(patience, signal).then(() => Promise.reject(err))]);
  }
}

// A Dialler tries for a WebSocket until it has one.
class Dialler {
  readonly won = new AbortController(); // when it has: a poll in between is of no use any more
  readonly up: Promise<Socket>;
  readonly failed: Promise<unknown>; // resolves with the first failure
  #fail: (err: unknown) => void = () => undefined;

  constructor(box: MailboxReader, signal: AbortSignal, note: (err: unknown) => void) {
    this.failed = new Promise((resolve) => (this.#fail = resolve));
    this.up = this.#dial(box, signal, note);
    this.up.catch(() => undefined);
  }

  async #dial(box: MailboxReader, signal: AbortSignal, note: (err: unknown) => void): Promise<Socket> {
    for (let pause = firstRetry; ; pause = Math.min(2 * pause, lastRetry)) {
      try {
        if (typeof WebSocket === "undefined") throw new Error("there are no WebSockets here");
        const socket = await connect(box, signal);
        this.won.abort(new Error("there is a WebSocket now"));
        return socket;
      } catch (err) {
        signal.throwIfAborted();
        this.#fail(err);
        if (typeof WebSocket === "undefined") return new Promise<never>(() => undefined);
        note(err);
        await nap(jitter(pause), signal);
      }
    }
  }
}
