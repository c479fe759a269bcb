// The effect loop: the phone's events one after another, each durable before it
// has consequences. As internal/phoneterm/runner.go does it in a terminal.
import type { Alarm, Ask, Base64, Close, Effect, Event, Listen, Note, Phone, Send, ShowWords, Subscribe, Subscribed, Withdraw } from "./core.d.ts";
import type { Signer } from "./key.ts";
import { MailboxReader, postFrame } from "./link.ts";
import { receive } from "./receive.ts";
import { Signing } from "./signing.ts";
import type { Change, Store } from "./store.ts";
import { within } from "./wait.ts";
import { Refused } from "./wasm.ts";

/** Shown is what people are told and asked. */
export type Shown = ShowWords | Ask | Alarm | Withdraw | Note;

export interface Around {
  core: Phone; // started with the store's records
  store: Store;
  signer: Signer;
  show(what: Shown): void;
  /** subscribe subscribes to pushes. null: there is nothing to tell. */
  subscribe?(vapid: Base64, signal: AbortSignal): Promise<Subscribed | null>;
  log(err: unknown): void;
}

const sendLimit = 20_000; // ms, one frame on one channel
const openLimit = 10_000;
const mostTick = 3_600_000; // setTimeout overflows at 24 days

export class Runner {
  readonly #a: Around;
  readonly #ears = new Map<Base64, AbortController>(); // by mailbox seed
  readonly #listening = new Set<Promise<void>>();
  readonly #sending = new Set<Promise<void>>(); // and signing, and subscribing
  readonly #signing: Signing;
  readonly #end = new AbortController();
  readonly #signal: AbortSignal;
  #turn: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(around: Around, private readonly wanted: AbortSignal) {
    this.#a = around;
    this.#signal = AbortSignal.any([wanted, this.#end.signal]);
    this.#signing = new Signing(around.signer, this.#signal);
    const closed = around.store.closed;
    if (closed?.aborted) this.#end.abort(closed.reason);
    closed?.addEventListener("abort", () => this.#end.abort(closed.reason), { once: true });
  }

  /** run works until the signal ends, or a store does not take a decision. */
  async run(): Promise<void> {
    this.post({ type: "Start" }).catch(this.#a.log);
    await new Promise<void>((resolve) => {
      if (this.#signal.aborted) resolve();
      this.#signal.addEventListener("abort", () => resolve(), { once: true });
    });
    clearTimeout(this.#timer);
    await this.#turn;
    await Promise.all(this.#listening);
    await this.posted();
    if (!this.wanted.aborted) throw this.#end.signal.reason;
  }

  /** post resolves when the event is durable and its effects are under way. */
  post(event: Event): Promise<void> {
    const done = this.#turn.then(async () => {
      this.#signal.throwIfAborted();
      clearTimeout(this.#timer);
      try {
        await this.#handle(event);
      } finally {
        this.#wake();
      }
    });
    this.#turn = done.catch(() => undefined); // who posted gets the error
    return done;
  }

  /** posted resolves when no signature is being made and no frame is on its way any more. */
  async posted(): Promise<void> {
    while (this.#sending.size > 0) await Promise.all(this.#sending);
  }

  async #handle(event: Event): Promise<void> {
    let effects: Effect[];
    try {
      effects = this.#a.core.handle(Date.now(), event);
      const changes = effects.filter((e): e is Effect & Change => e.type === "Store");
      if (changes.length > 0) await this.#a.store.commit(changes, this.#signal);
    } catch (err) {
      if (!(err instanceof Refused)) this.#end.abort(err); // the core knows more than the disk: go on from the disk
      throw err;
    }
    for (const e of effects) await this.#perform(e);
  }

  #wake(): void {
    if (this.#signal.aborted) return;
    const at = this.#a.core.next();
    const pause = at === null ? mostTick : Math.min(mostTick, Math.max(100, at - Date.now()));
    this.#timer = setTimeout(() => this.post({ type: "Tick" }).catch(this.#a.log), pause);
  }

  async #perform(e: Effect): Promise<void> {
    switch (e.type) {
      case "Store": return;
      case "Subscribe": return this.#go(this.#sending, this.#subscribe(e));
      case "Listen": return this.#listen(e);
      case "Close": return this.#close(e);
      case "Send": return this.#send(e);
      case "Sign": return this.#go(this.#sending, this.#signing.sign(e, (signed) => this.post(signed)));
      case "Withdraw": this.#signing.withdraw(e);
    }
    this.#a.show(e);
  }

  async #listen({ origin, seed, pairing, new: isNew }: Listen): Promise<void> {
    if (this.#ears.has(seed)) return;
    const box = new MailboxReader(this.#a.core, origin, seed);
    if (isNew) await box.open(within(openLimit, this.#signal));
    const ear = new AbortController();
    this.#ears.set(seed, ear);
    const heard = (data: Base64): Promise<void> => this.post({ type: "Frame", pairing, data });
    this.#go(this.#listening, receive(box, heard, AbortSignal.any([this.#signal, ear.signal]), this.#a.log));
  }

  #close({ origin, seed }: Close): void {
    this.#ears.get(seed)?.abort();
    this.#ears.delete(seed);
    this.#go(this.#sending, new MailboxReader(this.#a.core, origin, seed).remove(AbortSignal.timeout(openLimit)));
  }

  // What is decided is sent although the page is about to close.
  #send({ pairing, to, frame, farewell }: Send): void {
    for (const { relay } of to) {
      if (!relay) continue;
      const sent = postFrame(relay.origin, relay.mailbox, frame, AbortSignal.timeout(sendLimit));
      this.#go(this.#sending, farewell ? sent.then(() => this.post({ type: "Told", pairing })) : sent);
    }
  }

  async #subscribe({ vapid }: Subscribe): Promise<void> {
    const subscribed = await this.#a.subscribe?.(vapid, this.#signal);
    if (subscribed && !this.#signal.aborted) await this.post(subscribed);
  }

  #go(all: Set<Promise<void>>, work: Promise<void>): void {
    const kept = work.catch(this.#a.log).finally(() => all.delete(kept));
    all.add(kept);
  }
}
