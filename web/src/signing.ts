// Signatures under way. A person may take minutes to unlock a key, so they are
// made beside the events, and come back as events of their own.
import type { Sign, Signed } from "./core.d.ts";
import type { Signer } from "./key.ts";
import { unless } from "./wait.ts";

/** Later says that a signature cannot be made now: nothing is posted, and the core asks again at its next start. */
export class Later extends Error {}

export class Signing {
  readonly #prompts = new Map<string, AbortController>();

  constructor(readonly signer: Signer, readonly signal: AbortSignal) {}

  /**
   * sign posts the outcome. What ends by its signal, or by Later, posts none: the
   * request is over, or the core asks again at its next start.
   */
  async sign(what: Sign, post: (signed: Signed) => Promise<void>): Promise<void> {
    const id = name(what);
    if (this.#prompts.has(id)) return;
    const prompt = new AbortController();
    this.#prompts.set(id, prompt);
    const signal = AbortSignal.any([this.signal, prompt.signal]);
    const signed: Signed = { type: "Signed", pairing: what.pairing, request: what.request, signature: "", failed: "", wrapped: "" };
    try {
      Object.assign(signed, await unless(signal, this.signer.sign(what, signal)));
    } catch (err) {
      if (err instanceof Later) return;
      signed.failed = sentence(err);
    } finally {
      this.#prompts.delete(id);
    }
    if (!signal.aborted) await post(signed);
  }

  /** withdraw ends the signature for a request, if one is under way. */
  withdraw(what: { pairing: string; request: string }): void {
    this.#prompts.get(name(what))?.abort(new Error("the request was withdrawn"));
  }
}

const name = (what: { pairing: string; request: string }): string => `${what.pairing} ${what.request}`;

/** sentence is what an error says to people, and to the computer: one line of bounded length. */
function sentence(err: unknown): string {
  const text = (err instanceof Error ? err.message : String(err)).replace(/[\s\p{C}]+/gu, " ").trim();
  return (text || "the key could not be used").slice(0, 200);
}
