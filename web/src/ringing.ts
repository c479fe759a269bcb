// How a page lets its phone ring: the service worker, the subscription, and
// notifications while nobody sees the page.
import type { Base64, Subscribed } from "./core.d.ts";
import { type Choices, choices } from "./choices.ts";
import type { Keyring } from "./keyring.ts";
import { Notices } from "./notices.ts";
import { home } from "./place.ts";
import { subscribe } from "./push.ts";
import type { Shown } from "./runner.ts";
import type { Started } from "./start.ts";
import type { Push } from "./ui/view.ts";
import { register } from "./worker.ts";

interface Around {
  icon: string; // URL, of notifications
  changed(): void;
  note(err: unknown): void;
}

interface Turn {
  phone: Started<Keyring>;
  signal: AbortSignal;
  worker: Promise<ServiceWorkerRegistration> | undefined; // where there can be one
  notices: Notices | undefined;
  vapid: Base64; // that the core wants to be subscribed with; "" for none
}

const visible = (): boolean => document.visibilityState === "visible";

export class Ringing {
  push: Push = { state: "none", why: "" };
  choices: Choices = { lockScreen: false, tellRules: false };
  #turn: Turn | undefined;

  constructor(private readonly around: Around) {}

  /** begin is for a phone that has started. */
  begin(phone: Started<Keyring>, signal: AbortSignal): void {
    const turn: Turn = { phone, signal, worker: "serviceWorker" in navigator ? register(signal) : undefined, notices: undefined, vapid: "" };
    this.#turn = turn;
    this.#set({ state: home() === "tab" ? "home" : "none", why: "" });
    signal.addEventListener("abort", () => (this.#turn = undefined), { once: true });
    document.addEventListener("visibilitychange", () => {
      if (visible()) turn.notices?.clear();
    }, { signal });
    this.#begin(turn).catch(this.around.note);
  }

  show(what: Shown): void {
    this.#turn?.notices?.show(what);
  }

  /** pushed shows something for a push. */
  async pushed(): Promise<void> {
    this.#turn?.notices?.pushed();
    await this.#turn?.notices?.settled();
  }

  /** subscribe is the runner's: with the key that the core wants. */
  subscribe = async (vapid: Base64, signal: AbortSignal): Promise<Subscribed | null> => {
    const turn = this.#turn;
    if (!turn) return null;
    turn.vapid = vapid;
    try {
      const manager = (await turn.worker)?.pushManager;
      if (!manager) return null;
      const permission = Notification.permission;
      if (vapid && permission === "granted") this.#set({ state: "working", why: "" });
      const got = await subscribe(manager, vapid, signal);
      this.#set({ state: got.endpoint ? "on" : permission === "denied" ? "denied" : "ask", why: "" });
      return got;
    } catch (err) {
      signal.throwIfAborted();
      this.#set({ state: "failed", why: err instanceof Error ? err.message : String(err) });
      throw err;
    }
  };

  /** ring is called in a tap: browsers ask only then whether there may be notifications. */
  async ring(): Promise<void> {
    await Notification.requestPermission();
    await this.renew().catch(this.around.note); // push says what is wrong
  }

  /** renew looks again what the browser's subscription is, and tells computers. */
  async renew(): Promise<void> {
    const turn = this.#turn;
    const got = turn?.vapid ? await this.subscribe(turn.vapid, turn.signal) : null;
    if (got) await turn?.phone.runner.post(got);
  }

  async set(change: Partial<Choices>): Promise<void> {
    for (const [name, value] of Object.entries(change)) await this.#turn?.phone.db.put("settings", name, value);
    this.choices = { ...this.choices, ...change };
    this.around.changed();
  }

  async #begin(turn: Turn): Promise<void> {
    const { phone, signal } = turn;
    this.choices = await choices(phone.db);
    this.around.changed();
    const registration = await turn.worker;
    if (!registration || signal.aborted) return;
    turn.notices = new Notices({
      registration, icon: this.around.icon, note: this.around.note, log: () => phone.log.newest(phone.core), hidden: () => !visible() && Notification.permission === "granted",
      mayAllow: () => this.choices.lockScreen, tellRules: () => this.choices.tellRules,
    });
    if (visible()) turn.notices.clear();
  }

  #set(push: Push): void {
    this.push = push;
    this.around.changed();
  }
}
