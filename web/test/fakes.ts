// A core, a relay and a signer that do what a test says.
import type { Base64, Effect, Event, Phone } from "../src/core.d.ts";
import type { Signer } from "../src/key.ts";

/** never is for what a test does not expect to be called. */
const never = (): never => {
  throw new Error("not expected");
};

/** fakePhone answers events by handle, and proves reads as "proof of NONCE". */
export function fakePhone(handle: (event: Event) => Effect[]): Phone {
  return {
    start: never, computers: never, rules: never, pins: never, strange: never, sees: never, parseLink: never,
    publicKey: never, signature: never, passkeyPublic: never, passkeySignature: never, authorizedKey: never,
    entries: never, qr: never,
    handle: (_, event) => handle(event),
    next: () => null,
    mailbox: (seed) => ({ address: `address-of-${seed}`, publicKey: "pub" }),
    signRead: (_, origin, nonce) => `proof of ${nonce} for ${origin}`,
  };
}

export const fakeSigner = (sign: () => Base64): Signer => ({ keys: () => [], sign: async () => sign() });

export interface Asked {
  url: string;
  key: string; // the Idempotency-Key
  body: Record<string, unknown>; // of a poll
}

/** fakeRelay takes the place of fetch; answer says what comes back. */
export function fakeRelay(answer: (asked: Asked, n: number) => Response | Promise<Response>): Asked[] {
  const all: Asked[] = [];
  globalThis.fetch = async (input, init) => {
    init?.signal?.throwIfAborted();
    const body = typeof init?.body === "string" ? (JSON.parse(init.body) as Record<string, unknown>) : {};
    const asked = { url: String(input), key: new Headers(init?.headers).get("Idempotency-Key") ?? "", body };
    all.push(asked);
    const ended = new Promise<never>((_, reject) => init?.signal?.addEventListener("abort", () => reject(init.signal?.reason)));
    return Promise.race([Promise.resolve(answer(asked, all.length)), ended]);
  };
  return all;
}

export const json = (status: number, body: object): Response => new Response(JSON.stringify(body), { status });
