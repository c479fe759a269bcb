// The phone in the service worker, from a push until nothing waits any more.
import { Badge } from "../src/badge.ts";
import { choices } from "../src/choices.ts";
import type { Base64 } from "../src/core.d.ts";
import { type Desk, type Errand, perform } from "../src/errands.ts";
import { Notices } from "../src/notices.ts";
import { subscribe } from "../src/push.ts";
import { start } from "../src/start.ts";
import { LoneSigner } from "./signer.ts";

export interface Place {
  wasm: Promise<WebAssembly.Module>;
  registration: ServiceWorkerRegistration;
  icon: string;
  note(err: unknown): void;
}

const most = 75_000; // ms; browsers kill a worker that is at one event for 90 s

export class Shift {
  readonly #desk: Promise<Desk>;
  readonly #end = new AbortController();
  readonly #life: AbortSignal;
  readonly #badge = new Badge(navigator);
  #doing = 0;

  /** signal ends when a tab wants to be the phone. */
  constructor(private readonly place: Place, private readonly signal: AbortSignal) {
    this.#life = AbortSignal.any([signal, this.#end.signal]);
    this.#desk = this.#start();
    this.#desk.catch(() => undefined); // who does something hears of it
  }

  /** run is the phone until nothing waits any more, for 75 s at most. It begins with an errand. */
  async run(errand: Errand): Promise<void> {
    const { runner, notices } = await this.#desk;
    const timer = setTimeout(() => this.#end.abort(new Error("the worker's time is over")), most);
    const running = runner.run();
    running.catch(() => undefined); // awaited below
    let done = false;
    this.#doing++;
    try {
      await runner.post({ type: "Tick" }); // the start is before it
      notices.sync();
      done = await this.do(errand);
      if (!done) this.signal.throwIfAborted();
    } catch (err) {
      this.#end.abort(err);
      throw err;
    } finally {
      this.#doing--;
      this.#rest();
      await running.catch((err: unknown) => {
        if (!done) throw err;
        this.place.note(err); // what was asked of it is done
      });
      clearTimeout(timer);
      this.#badge.clear();
      await notices.settled();
    }
  }

  /** do does an errand; false if the shift is over. */
  async do(errand: Errand): Promise<boolean> {
    if (this.#life.aborted) return false;
    this.#doing++;
    try {
      await perform(errand, await this.#desk, this.#life);
      return true;
    } catch (err) {
      this.signal.throwIfAborted();
      throw err;
    } finally {
      this.#doing--;
      this.#rest();
    }
  }

  async #start(): Promise<Desk> {
    const { place } = this;
    let vapid: Base64 = "";
    const phone = await start({
      ...place,
      keys: (core, _, kept) => new LoneSigner(core, kept, ({ card }) => notices.lock(card)),
      show: (what) => {
        this.#badge.show(what);
        notices.show(what);
        this.#rest();
      },
      changed: () => undefined, // nobody sees it
      subscribe: (key, signal) => subscribe(place.registration.pushManager, (vapid = key), signal),
    }, this.#life);
    const { lockScreen, tellRules } = await choices(phone.db);
    const notices = new Notices({ // before the runner runs
      ...place, keeps: true, hidden: () => true, tellRules: () => tellRules, log: () => phone.log.newest(),
      mayAllow: ({ keyName }) => lockScreen && phone.keys.alone(keyName),
    });
    const { runner } = phone;
    const renew: Desk["renew"] = () => subscribe(place.registration.pushManager, vapid, this.#life);
    return { runner, notices, lockScreen, decided: () => undefined, renew };
  }

  // rest ends the shift when nothing waits.
  #rest(): void {
    void this.#desk.then(async ({ runner, notices }) => {
      await runner.posted();
      if (this.#doing === 0 && notices.waiting === 0) this.#end.abort(new Error("nothing waits any more"));
    }).catch(() => undefined); // of the start
  }
}
