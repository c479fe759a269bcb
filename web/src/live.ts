// Receiving a mailbox by WebSocket, docs/protocol.md 5.4.
import { fromBase64, toBase64 } from "./bytes.ts";
import type { MailboxReader } from "./link.ts";
import type { Handle } from "./receive.ts";
import { Socket } from "./socket.ts";
import { jitter, onWake, within } from "./wait.ts";

const connectLimit = 20_000; // ms, until the relay says that it is ready
const pingEvery = 30_000;
const pongLimit = 15_000;
const wakeLimit = 5_000; // for a pong when the page comes back: the network may be another
const againPause = 500; // before a frame that was rejected is asked for again

/** connect opens a WebSocket and proves that it may read. */
export async function connect(box: MailboxReader, signal: AbortSignal): Promise<Socket> {
  const limit = within(connectLimit, signal);
  const socket = new Socket(box.live);
  try {
    const { nonce } = await control(socket, "challenge", limit);
    if (typeof nonce !== "string" || fromBase64(nonce).length !== 32) throw new Error("the relay's challenge has no nonce");
    socket.send(JSON.stringify({ type: "proof", ...box.prove(nonce) }));
    await control(socket, "ready", limit);
    signal.throwIfAborted();
    return socket;
  } catch (err) {
    socket.fail(err);
    throw err;
  }
}

async function control(socket: Socket, type: string, signal: AbortSignal): Promise<Record<string, unknown>> {
  const message = await socket.next(signal);
  const parsed: unknown = typeof message === "string" ? JSON.parse(message) : null;
  if (typeof parsed === "object" && parsed !== null && "type" in parsed && parsed.type === type) return { ...parsed };
  throw new Error(`the relay did not say "${type}"`);
}

/**
 * live hands frames to handle until the connection or signal ends, then
 * rejects. took is called after each frame that was taken.
 */
export async function live(socket: Socket, handle: Handle, signal: AbortSignal, took: () => void, note: (err: unknown) => void): Promise<never> {
  const over = new AbortController();
  const timers = new Set<ReturnType<typeof setTimeout>>();
  const later = (ms: number, f: () => void): void => void timers.add(setTimeout(f, ms));
  const ping = (limit: number): void => {
    const asked = Date.now();
    socket.send('{"type":"ping"}');
    later(limit, () => {
      if (socket.heard < asked) socket.fail(new Error("the relay does not answer any more"));
    });
  };
  const regularly = (): void => later(pingEvery, () => (timers.clear(), ping(pongLimit), regularly()));
  regularly();
  onWake(() => ping(wakeLimit), AbortSignal.any([signal, over.signal]));
  try {
    for (let again = false; ; ) {
      const message = await socket.next(signal);
      if (typeof message === "string") continue; // a pong, or something newer than we are
      if (message.byteLength <= 8) throw new Error("the relay sends frames without content");
      try {
        await handle(toBase64(new Uint8Array(message, 8)));
      } catch (err) {
        note(err);
        if (!again) later(jitter(againPause), () => socket.fail(new Error("frames were rejected, and are asked for again")));
        again = true;
        continue;
      }
      took();
      socket.send(new Uint8Array(message.slice(0, 8)));
    }
  } catch (err) {
    socket.fail(err); // closes it
    throw err;
  } finally {
    over.abort();
    for (const timer of timers) clearTimeout(timer);
  }
}
