// The relay by fetch: posts and polls, docs/protocol.md 5.3 and 5.5.
import type { Base64, Phone } from "./core.d.ts";
import { fromBase64, toHex } from "./bytes.ts";
import { type Answer, persist, post } from "./post.ts";
import { within } from "./wait.ts";

export interface Polled {
  seq: Base64;
  frame: Base64;
}
interface Poll {
  ack?: Base64[];
  after?: Base64;
  wait_seconds?: number;
  delete?: boolean;
}
interface PollReply {
  nonce?: Base64;
  frames?: Polled[];
  deleted?: boolean;
}

/** RelayError is an answer other than the one hoped for. */
export class RelayError extends Error {
  readonly status: number;

  constructor({ status, body }: Answer) {
    const text = body && "error" in body ? String(body["error"]) : "";
    super(`the relay says ${status}${text ? `: ${text}` : ""}`);
    this.status = status;
  }
}

const pollGrace = 20_000; // ms, beyond what a poll waits
const maxProofs = 3; // each that fails brings a fresh nonce
const maxReply = 128 << 10;
export const noFrames: Base64 = "//////////8="; // as after: send none

/** postFrame posts until the relay has the frame, for 10 s: the same key in each try. */
export async function postFrame(origin: string, mailbox: Base64, frame: Base64, signal: AbortSignal): Promise<void> {
  const url = `${origin}/v1/mailboxes/${toHex(fromBase64(mailbox))}/frames`;
  const headers = { "Idempotency-Key": toHex(crypto.getRandomValues(new Uint8Array(16))), "Content-Type": "application/octet-stream" };
  await persist(async (limit) => {
    const answer = await post(url, headers, fromBase64(frame), maxReply, limit);
    if (answer.status !== 200 && answer.status !== 202) throw new RelayError(answer);
  }, (err) => !(err instanceof RelayError) || err.status === 429 || err.status >= 500, signal);
}

/** Proof is the right to read a mailbox, docs/protocol.md 5.4. */
export interface Proof {
  public_key: Base64;
  signature: Base64;
}

/** MailboxReader polls one mailbox, and proves each time that it may. */
export class MailboxReader {
  #nonce: Base64 | undefined;
  readonly #url: string;
  readonly #publicKey: Base64;
  readonly live: string; // URL of its WebSocket

  constructor(readonly core: Phone, readonly origin: string, readonly seed: Base64) {
    const box = core.mailbox(seed);
    this.#publicKey = box.publicKey;
    this.#url = `${origin}/v1/mailboxes/${box.address}/poll`;
    this.live = `${origin.replace(/^http/, "ws")}/v1/mailboxes/${box.address}/live`;
  }

  prove(nonce: Base64): Proof {
    return { public_key: this.#publicKey, signature: this.core.signRead(this.seed, this.origin, nonce) };
  }

  /** open makes sure that the mailbox exists, durably. */
  async open(signal: AbortSignal): Promise<void> {
    await this.poll({ after: noFrames }, signal);
  }

  /** remove deletes the mailbox and all in it, durably. */
  async remove(signal: AbortSignal): Promise<void> {
    const reply = await this.poll({ delete: true }, signal);
    if (reply.deleted !== true) throw new Error("the relay did not say that the mailbox is deleted");
  }

  async poll(what: Poll, signal: AbortSignal): Promise<PollReply> {
    const limit = within((what.wait_seconds ?? 0) * 1000 + pollGrace, signal);
    for (let i = 0; i < maxProofs; i++) {
      const nonce = this.#nonce;
      this.#nonce = undefined; // it counts once
      const proof = nonce === undefined ? {} : { nonce, ...this.prove(nonce) };
      const answer = await post(this.#url, { "Content-Type": "application/json" }, JSON.stringify({ ...proof, ...what }), maxReply, limit);
      const reply = parseReply(answer.body);
      this.#nonce = reply?.nonce;
      if (answer.status === 200 && reply) return reply;
      if (answer.status !== 401 || this.#nonce === undefined) throw new RelayError(answer);
    }
    throw new Error("the relay takes none of the nonces that it gives");
  }
}

// parseReply is null for what is not of the relay's shape.
function parseReply(body: Answer["body"]): PollReply | null {
  if (!body) return null;
  const { nonce, frames, deleted } = body;
  if (nonce !== undefined && typeof nonce !== "string") return null;
  if (frames !== undefined && !(Array.isArray(frames) && frames.length <= 64 && frames.every(isPolled))) return null;
  return { ...(nonce === undefined ? {} : { nonce }), ...(frames === undefined ? {} : { frames }), deleted: deleted === true };
}

function isPolled(f: unknown): f is Polled {
  return typeof f === "object" && f !== null && "seq" in f && typeof f.seq === "string" && "frame" in f && typeof f.frame === "string";
}
