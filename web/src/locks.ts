// Several tabs, one phone: the tab that holds a Web Lock is it.
import { phoneLock, workerLock } from "./lockname.ts";
import { Taken } from "./records.ts";
import { unless } from "./wait.ts";

/** Work is to be the phone, until signal ends; it must begin from the store each time. */
export type Work = (signal: AbortSignal) => Promise<void>;

const patience = 5_000; // ms for another tab to let go; then the lock is taken from it

/**
 * A Turn waits until this tab is the phone. It lets go when the person wants
 * the phone in another tab, and when the page is put aside: a frozen page must
 * not be the phone.
 */
export class Turn {
  readonly #name: string;
  readonly #channel: BroadcastChannel;
  readonly #self = crypto.randomUUID();
  #letGo = new AbortController();
  #aside: PromiseWithResolve | undefined; // while the page is put aside
  #steal: (() => void) | undefined; // while this tab waits

  constructor(name = phoneLock) {
    this.#name = name;
    this.#channel = new BroadcastChannel(name);
  }

  /**
   * run works whenever it is this tab's turn, and calls busy when it is not.
   * It resolves when signal ends or work is done, and rejects with what work
   * rejects with, but for Taken.
   */
  async run(work: Work, busy: () => void, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    this.#listen(over.signal);
    try {
      while (!signal.aborted) {
        if (this.#aside) await unless(signal, this.#aside.promise).catch(() => undefined);
        else if (await this.#once(work, busy, signal)) return;
      }
    } finally {
      over.abort();
    }
  }

  /** take makes this tab the phone: others let go. */
  take(): void {
    this.#channel.postMessage(this.#self);
    const steal = this.#steal;
    setTimeout(() => {
      if (this.#steal === steal) steal?.();
    }, patience);
  }

  // once reports whether work is done.
  async #once(work: Work, busy: () => void, signal: AbortSignal): Promise<boolean> {
    const letGo = (this.#letGo = new AbortController());
    const turn = AbortSignal.any([signal, letGo.signal]);
    let working: Promise<void> | undefined;
    let lost = false;
    const hold = async (options: LockOptions): Promise<void> => {
      try {
        await navigator.locks.request(this.#name, options, async (lock) => {
          if (!lock || turn.aborted) return;
          this.#steal = undefined;
          working = work(turn);
          await Promise.race([working.catch(() => undefined), this.#putAside(turn)]);
        });
      } catch (err) {
        if (working) lost = true; // another tab stole it
        else if (!turn.aborted && !options.signal?.aborted) throw err;
      }
    };
    await hold({ ifAvailable: true });
    if (!working && !turn.aborted) {
      if (await workerHolds()) setTimeout(() => this.take()); // once it waits
      else busy();
      await this.#queue(hold, turn);
    }
    lost ||= turn.aborted;
    letGo.abort(new Taken("another tab is the phone now"));
    try {
      await working;
      return working !== undefined && !lost;
    } catch (err) {
      if (lost || err instanceof Taken) return false;
      throw err;
    }
  }

  // queue waits for the lock; a steal does not wait any more.
  async #queue(hold: (options: LockOptions) => Promise<void>, turn: AbortSignal): Promise<void> {
    const waiting = new AbortController();
    let stolen: Promise<void> | undefined;
    this.#steal = () => {
      stolen = hold({ steal: true });
      waiting.abort();
    };
    await hold({ signal: AbortSignal.any([turn, waiting.signal]) });
    await stolen;
    this.#steal = undefined;
  }

  // putAside resolves when the page is put aside: it may stand still from now on, so the lock must go at once.
  #putAside(turn: AbortSignal): Promise<void> {
    return new Promise((resolve) => turn.addEventListener("abort", () => this.#aside && resolve(), { once: true }));
  }

  #listen(signal: AbortSignal): void {
    const aside = (): void => {
      this.#aside ??= promiseWithResolve();
      this.#letGo.abort(new Taken("this page was put aside"));
    };
    const back = (): void => {
      this.#aside?.resolve();
      this.#aside = undefined;
    };
    addEventListener("pagehide", aside, { signal });
    addEventListener("pageshow", back, { signal });
    document.addEventListener("freeze", aside, { signal });
    document.addEventListener("resume", back, { signal });
    // Who waits, too, lines up anew, behind the tab that the person chose.
    this.#channel.addEventListener("message", ({ data }) => {
      if (data !== this.#self) this.#letGo.abort(new Taken("the phone is wanted in another tab"));
    }, { signal });
  }
}

async function workerHolds(): Promise<boolean> {
  return (await navigator.locks.query()).held?.some((l) => l.name === workerLock) ?? false;
}

interface PromiseWithResolve {
  promise: Promise<void>;
  resolve(): void;
}

function promiseWithResolve(): PromiseWithResolve {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((r) => (resolve = r));
  return { promise, resolve };
}
