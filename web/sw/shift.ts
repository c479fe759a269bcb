// The phone in the service worker, from a push until nothing waits any more.
import type { Errand } from "../src/errands.ts";
import { choices } from "../src/choices.ts";
import { Notices } from "../src/notices.ts";
import { subscribe } from "../src/push.ts";
import { start, type Started } from "../src/start.ts";
import { sleep } from "../src/wait.ts";
import { LoneSigner } from "./signer.ts";

export interface Place {
  wasm: Promise<WebAssembly.Module>;
  registration: ServiceWorkerRegistration;
  icon: string;
  note(err: unknown): void;
}

const mail = 8_000; // ms: a push without a frame says that there is some

export class Shift {
  readonly #phone: Promise<Started<LoneSigner>>;
  readonly #end = new AbortController();
  readonly #shown = new AbortController(); // once there is something
  readonly #life: AbortSignal;
  #notices: Notices | undefined;
  #mayAllow = false;
  #doing = 0;

  /** signal ends when a tab wants to be the phone. */
  constructor(private readonly place: Place, signal: AbortSignal) {
    this.#life = AbortSignal.any([signal, this.#end.signal]);
    this.#phone = this.#start();
  }

  /** run is the phone until nothing waits any more. It begins with an errand. */
  async run(errand: Errand): Promise<void> {
    const phone = await this.#phone;
    const running = phone.runner.run();
    running.catch(() => undefined); // awaited below
    try {
      await this.do(errand);
    } catch (err) {
      this.#end.abort(err);
      throw err;
    } finally {
      await running;
      await this.#notices?.settled();
    }
  }

  /** do does an errand; false if the shift is over. */
  async do(errand: Errand): Promise<boolean> {
    if (this.#life.aborted) return false;
    this.#doing++;
    try {
      const { runner } = await this.#phone;
      switch (errand.type) {
        case "push":
          if (errand.frame) await runner.post({ type: "Frame", pairing: "", data: errand.frame });
          else await sleep(mail, AbortSignal.any([this.#life, this.#shown.signal])).catch(() => undefined);
          await runner.posted();
          this.#notices?.sync();
          this.#notices?.pushed();
          break;
        case "decide":
          if (errand.allow && !this.#mayAllow) throw new Error("notifications may not allow any more");
          for (const request of errand.requests) {
            await runner.post({ type: "Decide", pairing: errand.pairing, request, allow: errand.allow, grant: { scope: "", for: 0, count: 0, closed: false } });
          }
          break;
        case "renew": // the start has asked to subscribe
      }
      await this.#notices?.settled();
      return true;
    } finally {
      this.#doing--;
      void this.#rest();
    }
  }

  async #start(): Promise<Started<LoneSigner>> {
    const { place } = this;
    let notices: Notices | undefined;
    const phone = await start({
      ...place,
      keys: (core, _, kept) => new LoneSigner(core, kept, ({ pairing }) => {
        notices?.lock(pairing, core.computers().find((c) => c.pairing === pairing)?.name ?? "");
      }),
      show: (what) => {
        notices?.show(what);
        this.#shown.abort();
        void this.#rest();
      },
      subscribe: (vapid, signal) => subscribe(place.registration.pushManager, vapid, signal),
    }, this.#life);
    const set = await choices(phone.db);
    this.#mayAllow = set.lockScreen;
    this.#notices = notices = new Notices({
      ...place, log: () => phone.log.newest(phone.core), mayAllow: () => set.lockScreen, tellRules: () => set.tellRules, hidden: () => true,
    });
    return phone;
  }

  // rest ends the shift when nothing waits.
  async #rest(): Promise<void> {
    const { runner } = await this.#phone;
    await runner.posted();
    if (this.#doing === 0 && this.#notices?.waiting === 0) this.#end.abort(new Error("nothing waits any more"));
  }
}
