// Where the phone listens: at mailboxes of relays, and at queues of Amazon SQS. What
// comes by Bluetooth is heard in air.ts.
import type { Base64, Close, Frame, Listen, Phone } from "./core.d.ts";
import { MailboxReader } from "./link.ts";
import { receiveQueue } from "./queue.ts";
import { receive } from "./receive.ts";
import { jitter, nap, within } from "./wait.ts";

/** A Place is where two meet: a relay by its origin, SQS by its region, or Bluetooth. */
export interface Place {
  kind: "relay" | "sqs" | "bluetooth";
  name: string;
}

/** A Channel is a way by which a computer is heard. */
export interface Channel extends Place {
  up: boolean; // it works now
}

/** Nearby is Bluetooth: services of computers, each of one pairing, by their UUIDs as bytes. */
export interface Nearby {
  listen(service: Base64, pairing: string): void;
  close(service: Base64): void;
  /** send resolves when the computer has the frame; undefined if nobody has chosen one. */
  send(service: Base64, frame: Base64, signal: AbortSignal): Promise<void> | undefined;
}

interface Ear extends Channel {
  pairing: string;
  end: AbortController;
}

export interface Around {
  core: Phone;
  nearby?: Nearby | undefined;
  heard(frame: Frame): Promise<void>; // rejects what must come again
  changed(): void; // a channel works, or does not any more, or is left
  log(err: unknown): void;
}

const openLimit = 10_000; // ms
const minPause = 250; // between two tries to open a mailbox
const maxPause = 15_000;
const longWait = 20; // seconds, the longest that SQS waits
const shortWait = 2;
const longPolls = 4; // of the six connections that browsers make to a host: the others are for what is sent

export class Ears {
  readonly #all = new Map<string, Ear>(); // by mailbox seed, or name of the queue
  readonly #working = new Set<Promise<void>>();

  constructor(private readonly around: Around, private readonly signal: AbortSignal) {}

  /** listen resolves when a mailbox that is new exists: it is tried until then, or until nobody wants it. */
  listen({ pairing, origin, seed, new: isNew, sqs, bluetooth }: Listen): Promise<void> | undefined {
    const { core, heard, changed, log } = this.around;
    const name = sqs?.toPhone ?? seed;
    if (bluetooth) this.around.nearby?.listen(bluetooth.service, pairing);
    if (bluetooth || this.#all.has(name)) return undefined;
    const ear: Ear = { pairing, kind: sqs ? "sqs" : "relay", name: sqs?.region ?? origin, up: false, end: new AbortController() };
    const signal = AbortSignal.any([this.signal, ear.end.signal]);
    const handle = (data: string): Promise<void> => heard({ type: "Frame", pairing, data });
    const up = (yes: boolean): void => {
      if (ear.up === yes) return;
      ear.up = yes;
      changed();
    };
    const box = sqs ? undefined : new MailboxReader(core, origin, seed);
    this.#all.set(name, ear);
    if (sqs) this.#work(receiveQueue(sqs, () => this.#wait(), handle, signal, log, up));
    const opened = box && isNew ? this.#open(box, signal) : undefined;
    if (box) this.#work(Promise.resolve(opened).then(() => receive(box, handle, signal, log, up), () => undefined));
    return opened;
  }

  // open rejects only when signal ends.
  async #open(box: MailboxReader, signal: AbortSignal): Promise<void> {
    for (let pause = minPause; ; pause = Math.min(2 * pause, maxPause)) {
      try {
        return await box.open(within(openLimit, signal));
      } catch (err) {
        signal.throwIfAborted();
        this.around.log(err);
      }
      await nap(jitter(pause), signal);
    }
  }

  /** close listens no longer, and deletes a mailbox. A queue is the computer's. */
  async close({ origin, seed, sqs, bluetooth }: Close): Promise<void> {
    if (bluetooth) return this.around.nearby?.close(bluetooth.service);
    const name = sqs?.toPhone ?? seed;
    this.#all.get(name)?.end.abort();
    if (this.#all.delete(name)) this.around.changed();
    if (!sqs) await new MailboxReader(this.around.core, origin, seed).remove(AbortSignal.timeout(openLimit));
  }

  /** channels are those of a pairing. */
  channels(pairing: string): Channel[] {
    const all = new Map<string, Channel>(); // in pairing it listens twice at one place
    for (const { pairing: of, kind, name, up } of this.#all.values()) if (of === pairing) all.set(`${kind} ${name}`, { kind, name, up });
    return [...all.values()];
  }

  /** ended resolves when nothing listens any more. */
  async ended(): Promise<void> {
    await Promise.all(this.#working);
  }

  #wait(): number {
    return [...this.#all.values()].filter((e) => e.kind === "sqs").length > longPolls ? shortWait : longWait;
  }

  #work(work: Promise<void>): void {
    const kept = work.catch(this.around.log).finally(() => this.#working.delete(kept));
    this.#working.add(kept);
  }
}
