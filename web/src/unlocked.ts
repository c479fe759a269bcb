// Wrapped keys that are open, in memory only: for one signature, or as long as
// a rule lives.
import type { Millis } from "./core.d.ts";
import type { ToSign } from "./key.ts";
import { unless } from "./wait.ts";

/**
 * Ask resolves in the tap of a person who wants to go on with a request that a
 * rule has allowed, but whose key needs them; it rejects if they do not.
 */
export type Ask = (what: ToSign, signal: AbortSignal) => Promise<void>;

// An Opening is one prompt, for all who wait for the same key.
interface Opening {
  end: AbortController;
  waiting: number;
  key: Promise<CryptoKey>;
}

const longest = 2 ** 31 - 1; // ms, of a timer

export class Unlocked {
  readonly #open = new Map<string, CryptoKey>(); // all by fingerprint
  readonly #until = new Map<string, Millis>();
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #openings = new Map<string, Opening>();
  readonly #waiting = new Map<string, Set<(key: CryptoKey) => void>>();
  #locks = 0; // a key that was being opened when all were locked is not kept

  /** prompt asks for the passkey; signal ends the prompt. */
  constructor(readonly ask: Ask, readonly prompt: (what: ToSign, signal: AbortSignal) => Promise<CryptoKey>) {}

  has(fingerprint: string): boolean {
    return this.#get(fingerprint) !== undefined;
  }

  /** use is the key for one signature. It prompts at once only if the person has just tapped. */
  async use(what: ToSign, tapped: boolean, signal: AbortSignal): Promise<CryptoKey> {
    const open = this.#get(what.fingerprint);
    if (open) return open;
    if (tapped) return this.#join(what, signal);
    const done = new AbortController();
    const asked = AbortSignal.any([signal, done.signal]);
    try {
      return await unless(signal, Promise.race([
        this.#opened(what.fingerprint, asked),
        this.ask(what, asked).then(() => this.#join(what, signal)),
      ]));
    } finally {
      done.abort(new Error("the key is open, or not wanted any more"));
    }
  }

  /** anew opens the key by a prompt, although it may be open. */
  async anew(what: ToSign, signal: AbortSignal): Promise<CryptoKey> {
    const { fingerprint } = what;
    const locks = this.#locks;
    const key = await this.prompt(what, signal);
    if (locks === this.#locks) this.#open.set(fingerprint, key);
    this.keep(fingerprint, this.#until.get(fingerprint) ?? 0);
    for (const resolve of this.#waiting.get(fingerprint) ?? []) resolve(key);
    return key;
  }

  /** keep keeps the key open until then, once it is; until 0 it closes at once. */
  keep(fingerprint: string, until: Millis): void {
    this.#until.set(fingerprint, until);
    clearTimeout(this.#timers.get(fingerprint));
    if (this.#get(fingerprint)) this.#timers.set(fingerprint, setTimeout(() => this.keep(fingerprint, until), Math.min(longest, until - Date.now())));
  }

  /** lock closes all keys. */
  lock(): void {
    this.#locks++;
    this.#open.clear();
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #get(fingerprint: string): CryptoKey | undefined {
    if (Date.now() >= (this.#until.get(fingerprint) ?? 0)) this.#open.delete(fingerprint);
    return this.#open.get(fingerprint);
  }

  // opened resolves when a prompt for another request opens the key.
  #opened(fingerprint: string, signal: AbortSignal): Promise<CryptoKey> {
    return new Promise((resolve) => {
      const all = this.#waiting.get(fingerprint) ?? new Set();
      this.#waiting.set(fingerprint, all.add(resolve));
      signal.addEventListener("abort", () => all.delete(resolve), { once: true });
    });
  }

  async #join(what: ToSign, signal: AbortSignal): Promise<CryptoKey> {
    const opening = this.#openings.get(what.fingerprint) ?? this.#begin(what);
    opening.waiting++;
    try {
      return await unless(signal, opening.key);
    } finally {
      if (--opening.waiting === 0) {
        this.#over(what.fingerprint, opening);
        opening.end.abort(new Error("nobody waits for the key any more"));
      }
    }
  }

  #begin(what: ToSign): Opening {
    const { fingerprint } = what;
    const end = new AbortController();
    const key = this.anew(what, end.signal);
    const opening = { end, waiting: 0, key };
    this.#openings.set(fingerprint, opening);
    void key.catch(() => undefined).then(() => this.#over(fingerprint, opening)); // who waits hears of it
    return opening;
  }

  #over(fingerprint: string, opening: Opening): void {
    if (this.#openings.get(fingerprint) === opening) this.#openings.delete(fingerprint);
  }
}
