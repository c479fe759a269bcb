// A core, a relay and a signer that do what a test says.
import type { Base64, Effect, Event, Phone } from "../src/core.d.ts";
import type { Signer, ToSign } from "../src/key.ts";

/** never is for what a test does not expect to be called. */
const never = (): never => {
  throw new Error("not expected");
};

/** fakePhone answers events by handle, and proves reads as "proof of NONCE". */
export function fakePhone(handle: (event: Event) => Effect[]): Phone {
  return {
    start: never, computers: never, untold: never, rules: never, pins: never, strange: never, sees: never, bluetooth: never, parseLink: never,
    publicKey: never, signature: never, keyFits: never, passkeyPublic: never, passkeySignature: never, authorizedKey: never, chain: never, uses: never,
    handle: (_, event) => handle(event),
    next: () => null,
    mailbox: (seed) => ({ address: `address-of-${seed}`, publicKey: "pub" }),
    signRead: (_, origin, nonce) => `proof of ${nonce} for ${origin}`,
  };
}

export const fakeSigner = (sign: (what: ToSign, signal: AbortSignal) => Base64 | Promise<Base64>): Signer =>
  ({ keys: () => [], sign: async (what, signal) => ({ signature: await sign(what, signal), wrapped: "" }) });

export interface Asked {
  url: string;
  key: string; // the Idempotency-Key
  headers: Record<string, string>;
  body: Record<string, unknown>; // JSON
  init: RequestInit;
}

/** fakeRelay takes the place of fetch, also as SQS; answer says what comes back. */
export function fakeRelay(answer: (asked: Asked, n: number) => Response | Promise<Response>): Asked[] {
  const all: Asked[] = [];
  globalThis.fetch = async (input, init) => {
    init?.signal?.throwIfAborted();
    const body = typeof init?.body === "string" ? (JSON.parse(init.body) as Record<string, unknown>) : {};
    const headers: Record<string, string> = {};
    new Headers(init?.headers).forEach((value, name) => (headers[name] = value));
    const asked = { url: String(input), key: headers["idempotency-key"] ?? "", headers, body, init: init ?? {} };
    all.push(asked);
    const ended = new Promise<never>((_, reject) => init?.signal?.addEventListener("abort", () => reject(init.signal?.reason)));
    return Promise.race([Promise.resolve(answer(asked, all.length)), ended]);
  };
  return all;
}

export const json = (status: number, body: object): Response => new Response(JSON.stringify(body), { status });

/** FakeSocket is a WebSocket whose other end the test plays, in meet. */
export class FakeSocket {
  static OPEN = 1;
  static meet: (socket: FakeSocket, n: number) => void = () => undefined;
  static all: FakeSocket[] = [];
  readyState = 1;
  binaryType = "";
  sent: (string | Uint8Array)[] = [];
  onmessage: (e: { data: string | ArrayBuffer }) => void = () => undefined;
  onclose: (e: { code: number }) => void = () => undefined;
  heard: (message: string) => void = () => undefined; // what the test does about a message
  acked: (seq: Uint8Array) => void = () => undefined;

  constructor(readonly url: string) {
    FakeSocket.all.push(this);
    queueMicrotask(() => FakeSocket.meet(this, FakeSocket.all.length));
  }

  send(message: string | Uint8Array): void {
    this.sent.push(message);
    if (typeof message === "string") this.heard(message);
    else this.acked(message);
  }

  say(message: object | Uint8Array<ArrayBuffer>): void {
    this.onmessage({ data: message instanceof Uint8Array ? message.slice().buffer : JSON.stringify(message) });
  }

  close(code = 1006): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose({ code });
  }
}

/** fakeSockets takes the place of WebSocket; meet plays the relay for the nth connection. */
export function fakeSockets(meet: (socket: FakeSocket, n: number) => void): FakeSocket[] {
  FakeSocket.meet = meet;
  FakeSocket.all = [];
  Object.assign(globalThis, { WebSocket: FakeSocket });
  return FakeSocket.all;
}

/** noSockets is a browser without WebSockets. */
export const noSockets = (): boolean => Reflect.deleteProperty(globalThis, "WebSocket");

/** admit takes the proof of a reader, and lets it read frames. */
export function admit(socket: FakeSocket, ...frames: Uint8Array<ArrayBuffer>[]): void {
  socket.heard = (m) => {
    if (!m.includes("proof of")) return;
    socket.heard = () => undefined;
    socket.say({ type: "ready" });
    for (const f of frames) socket.say(f);
  };
  socket.say({ type: "challenge", nonce: btoa("n".repeat(32)) });
}
