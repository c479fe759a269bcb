// How a page lets its phone ring: the service worker, the subscription, and
// notifications while nobody sees the page.
import type { Base64, Card, Subscribed } from "./core.d.ts";
import { type Choices, choices, hints } from "./choices.ts";
import type { Desk } from "./errands.ts";
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
  ready: Promise<Ready> | undefined; // once there may be notifications
  vapid: Base64; // that the core wants to be subscribed with; "" for none
  subscribed: Promise<Subscribed | null>; // one after another
}

type Ready = { registration: ServiceWorkerRegistration; notices: Notices };

const visible = (): boolean => document.visibilityState === "visible";
const possible = "serviceWorker" in navigator && "Notification" in globalThis && "PushManager" in globalThis; // not in tabs on iOS

export class Ringing {
  push: Push = { state: "none", why: "" };
  choices: Choices = { lockScreen: false, tellRules: false, putOff: [...hints] }; // before it is known
  #turn: Turn | undefined;

  constructor(private readonly around: Around) {}

  /** begin is for a phone that has started. */
  begin(phone: Started<Keyring>, signal: AbortSignal): void {
    this.#set({ state: home() === "tab" ? "home" : "none", why: "" });
    const turn: Turn = { phone, signal, ready: undefined, vapid: "", subscribed: Promise.resolve(null) };
    this.#turn = turn;
    signal.addEventListener("abort", () => (this.#turn = undefined), { once: true });
    choices(phone.db).then((stored) => (this.choices = stored)).then(this.around.changed).catch(this.around.note);
    if (!possible) return;
    if (Notification.permission === "granted") this.#ready(turn).catch(this.around.note);
    document.addEventListener("visibilitychange", () => {
      if (visible()) this.#with((notices) => notices.clear());
    }, { signal });
  }

  show(what: Shown): void {
    this.#with((notices) => notices.show(what));
  }

  /** lock says that a request waits for its key, where nobody sees the page. */
  lock(card: Card): void {
    this.#with((notices) => notices.lock(card));
  }

  /** desk is where errands are done. */
  async desk(): Promise<Omit<Desk, "decided">> {
    const turn = this.#turn;
    if (!turn) throw new Error("the phone does not work");
    const { notices } = await this.#ready(turn);
    return { runner: turn.phone.runner, notices, lockScreen: this.choices.lockScreen, renew: () => this.#again() };
  }

  /** subscribe is the runner's: with the key that the core wants. */
  subscribe = (vapid: Base64, signal: AbortSignal): Promise<Subscribed | null> => {
    const turn = this.#turn;
    if (!turn || !possible) return Promise.resolve(null);
    turn.vapid = vapid;
    turn.subscribed = turn.subscribed.catch(() => null).then(() => this.#subscribe(turn, vapid, signal));
    return turn.subscribed;
  };

  /** ring is called in a tap: browsers ask only then whether there may be notifications. push says what came of it. */
  async ring(): Promise<void> {
    await Notification.requestPermission();
    const { putOff } = this.choices;
    if (putOff.includes("push")) await this.set({ putOff: putOff.filter((h) => h !== "push") }); // what fails from now on is said
    const got = await this.#again().catch(this.around.note);
    if (got) await this.#turn?.phone.runner.post(got);
  }

  async set(change: Partial<Choices>): Promise<void> {
    for (const [name, value] of Object.entries(change)) await this.#turn?.phone.db.put("settings", name, value);
    this.choices = { ...this.choices, ...change };
    this.around.changed();
  }

  async #again(): Promise<Subscribed | null> {
    const turn = this.#turn;
    return turn?.vapid ? this.subscribe(turn.vapid, turn.signal) : null;
  }

  async #subscribe(turn: Turn, vapid: Base64, signal: AbortSignal): Promise<Subscribed | null> {
    const { permission } = Notification;
    if (permission !== "granted") {
      this.#set({ state: permission === "denied" ? "denied" : "ask", why: "" });
      return { type: "Subscribed", vapid, endpoint: "", p256dh: "", auth: "" };
    }
    try {
      if (vapid) this.#set({ state: "working", why: "" });
      const { registration } = await this.#ready(turn);
      const got = await subscribe(registration.pushManager, vapid, signal);
      this.#set({ state: got.endpoint ? "on" : "ask", why: "" });
      return got;
    } catch (err) {
      signal.throwIfAborted();
      this.#set({ state: "failed", why: err instanceof Error ? err.message : String(err) });
      throw err;
    }
  }

  // ready has the worker, and tries again for one that could not be had. It costs
  // as much as the app: who wants no notifications has none.
  #ready(turn: Turn): Promise<Ready> {
    turn.ready ??= this.#make(turn).catch((err: unknown) => {
      turn.ready = undefined;
      throw err;
    });
    return turn.ready;
  }

  async #make({ phone: { log, keys }, signal }: Turn): Promise<Ready> {
    const registration = await register(signal);
    const notices = new Notices({
      registration, icon: this.around.icon, note: this.around.note, keeps: false, log: () => log.newest(),
      hidden: () => !visible() && Notification.permission === "granted", tellRules: () => this.choices.tellRules,
      mayAllow: ({ keyName }) => this.choices.lockScreen && keys.list().every((k) => k.name !== keyName || k.kind === "plain"),
    });
    if (visible()) notices.clear();
    return { registration, notices };
  }

  // Where there is no worker there are no notifications.
  #with(f: (notices: Notices) => void): void {
    this.#turn?.ready?.then(({ notices }) => f(notices)).catch(() => undefined);
  }

  #set(push: Push): void {
    this.push = push;
    this.around.changed();
  }
}
