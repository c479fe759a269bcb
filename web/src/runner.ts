// The effect loop: the phone's events one after another, each durable before it
// has consequences. As internal/phoneterm/runner.go does it in a terminal.
import type { Alarm, Ask, Base64, Effect, Event, Listen, Note, Phone, Send, ShowWords, Subscribe, Subscribed, Withdraw } from "./core.d.ts";
import type { Signer } from "./key.ts";
import { type Channel, Ears, type Nearby } from "./ears.ts";
import { postFrame } from "./link.ts";
import { Signing } from "./signing.ts";
import { sendMessage } from "./sqs.ts";
import type { Change, Store } from "./store.ts";
import { unless } from "./wait.ts";
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
  nearby?: Nearby | undefined; // where there is Bluetooth
  /** changed is called when a channel works, or does not any more. */
  changed?(): void;
  log(err: unknown): void;
}

const sendLimit = 20_000; // ms, one frame on one channel
const mostTick = 3_600_000; // setTimeout overflows at 24 days

export class Runner {
  readonly #a: Around;
  readonly #ears: Ears;
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
    this.#ears = new Ears({ core: around.core, nearby: around.nearby, heard: (frame) => this.post(frame), changed: () => around.changed?.(), log: around.log }, this.#signal);
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
    await this.#ears.ended();
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

  /** channels are the ways by which a computer is heard. */
  channels(pairing: string): Channel[] {
    return this.#ears.channels(pairing);
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
    const opened: Promise<void>[] = []; // what a computer may be told
    for (const e of effects) {
      const opens = e.type === "Listen" && this.#ears.listen(e);
      if (opens) opened.push(opens);
      if (e.type === "Send" && opened.length > 0) this.#go(Promise.all(opened).then(() => this.#send(e), () => undefined)); // or it is given up
      else if (e.type !== "Listen") this.#perform(e);
    }
  }

  #wake(): void {
    if (this.#signal.aborted) return;
    const at = this.#a.core.next();
    const pause = at === null ? mostTick : Math.min(mostTick, Math.max(100, at - Date.now()));
    this.#timer = setTimeout(() => this.post({ type: "Tick" }).catch(this.#a.log), pause);
  }

  #perform(e: Exclude<Effect, Listen>): void {
    switch (e.type) {
      case "Store": return;
      case "Subscribe": return this.#go(this.#subscribe(e));
      case "Close": return this.#go(this.#ears.close(e));
      case "Send": return this.#send(e);
      case "Sign": return this.#go(this.#signing.sign(e, (signed) => this.post(signed)));
      case "Withdraw": this.#signing.withdraw(e);
    }
    this.#a.show(e);
  }

  // What is decided is sent although the page is about to close.
  #send({ pairing, to, frame, farewell }: Send): void {
    const limit = AbortSignal.timeout(sendLimit);
    for (const { relay, sqs, bluetooth } of to) {
      const sent = relay ? postFrame(relay.origin, relay.mailbox, frame, limit)
        : sqs ? sendMessage(sqs, frame, limit)
        : bluetooth && this.#a.nearby?.send(bluetooth.service, frame, limit);
      if (sent) this.#go(farewell ? (bluetooth ? unless(this.#signal, sent) : sent).then(() => this.post({ type: "Told", pairing })) : sent);
    }
  }

  async #subscribe({ vapid }: Subscribe): Promise<void> {
    const subscribed = await this.#a.subscribe?.(vapid, this.#signal);
    if (subscribed && !this.#signal.aborted) await this.post(subscribed);
  }

  #go(work: Promise<void>): void {
    const kept = work.catch(this.#a.log).finally(() => this.#sending.delete(kept));
    this.#sending.add(kept);
  }
}
