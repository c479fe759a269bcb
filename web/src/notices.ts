// The notifications of this phone: one for each computer at most.
import type { Base64, Card, Entry } from "./core.d.ts";
import { asks, cooling, locked, type Notice, over, refused, ruled } from "./notice.ts";
import type { Shown } from "./runner.ts";
import { notices as words } from "./text/notices.en.ts";

/** Registration is where notifications are shown. */
export type Registration = Pick<ServiceWorkerRegistration, "showNotification" | "getNotifications">;

/** Data is what a notification knows of what it asks about. */
export interface Data {
  pairing: string;
  requests: Base64[];
}

export interface Where {
  registration: Registration;
  icon: string; // URL
  log(): Entry[]; // newest first
  mayAllow(): boolean; // the person lets notifications allow
  tellRules(): boolean; // the person wants to hear what rules allow
  hidden(): boolean; // nobody sees the page
  note(err: unknown): void;
}

/** Notices follow what the core shows. */
export class Notices {
  readonly #waiting = new Map<string, Map<Base64, Card>>(); // by pairing
  #ruled: { pairing: string; notice: Notice } | undefined; // the last that a rule allowed
  #turn: Promise<void> = Promise.resolve();

  constructor(private readonly where: Where) {}

  /** waiting is how many requests wait. */
  get waiting(): number {
    return [...this.#waiting.values()].reduce((n, cards) => n + cards.size, 0);
  }

  /** settled resolves when notifications are as they should be. */
  async settled(): Promise<void> {
    await this.#turn;
  }

  /** show takes what the core shows. What people see on the page needs no notification. */
  show(what: Shown): void {
    switch (what.type) {
      case "Ask": {
        const { pairing, request } = what.card;
        const cards = this.#waiting.get(pairing) ?? new Map<Base64, Card>();
        this.#waiting.set(pairing, cards.set(request, what.card));
        return this.#hidden(() => this.#draw(pairing));
      }
      case "Withdraw":
        if (this.#waiting.get(what.pairing)?.delete(what.request)) this.#go(() => this.#redraw(what.pairing));
        return;
      case "Alarm": return this.#hidden(() => this.#put(what.card.pairing, refused(what), true));
      case "Note": {
        const entry = what.kind === "Signed" && what.rule && this.where.log().find((e) => e.pairing === what.pairing);
        if (!entry) return;
        this.#ruled = { pairing: what.pairing, notice: ruled(entry) };
        if (this.where.tellRules()) this.#hidden(() => this.#tell());
      }
    }
  }

  /** lock says that a request waits for its key. */
  lock(pairing: string, computer: string): void {
    this.#go(() => this.#put(pairing, locked(computer), true));
  }

  /** pushed shows what waits, whoever sees the page: browsers want to see something of each push. */
  pushed(): void {
    for (const pairing of this.#waiting.keys()) this.#go(() => this.#draw(pairing));
    this.#go(async () => {
      if ((await this.where.registration.getNotifications()).length > 0) return;
      if (!this.#ruled) return this.#put("", over, false);
      await this.#tell();
      if (!this.where.tellRules()) for (const n of await this.#open(this.#ruled.pairing)) n.close();
    });
  }

  /** clear closes all: people see the page. */
  clear(): void {
    this.#go(async () => {
      for (const n of await this.where.registration.getNotifications()) n.close();
    });
  }

  /** sync closes what an earlier run left about requests that do not wait any more. */
  sync(): void {
    this.#go(async () => {
      for (const n of await this.where.registration.getNotifications()) {
        const { pairing, requests } = n.data as Data;
        if (requests.length > 0 && !requests.some((r) => this.#waiting.get(pairing)?.has(r))) n.close();
      }
    });
  }

  async #draw(pairing: string): Promise<void> {
    const [card, ...more] = this.#waiting.get(pairing)?.values() ?? [];
    if (!card) return;
    const rung = (await this.#open(pairing)).flatMap((n) => (n.data as Data).requests);
    const fresh = [card, ...more].some((c) => !rung.includes(c.request));
    await this.#put(pairing, asks([card, ...more]), fresh && !cooling(this.where.log(), pairing, Date.now()));
  }

  // redraw is for less than before: where nothing is shown, nothing is to be shown.
  async #redraw(pairing: string): Promise<void> {
    const open = await this.#open(pairing);
    if (this.#waiting.get(pairing)?.size) return open.length > 0 ? this.#draw(pairing) : undefined;
    for (const n of open) if ((n.data as Data).requests.length > 0) n.close();
  }

  async #tell(): Promise<void> {
    if (this.#ruled) await this.#put(this.#ruled.pairing, this.#ruled.notice, false);
  }

  async #put(pairing: string, { title, body, requests, buttons }: Notice, rings: boolean): Promise<void> {
    const actions = buttons ? [{ action: "reject", title: words.reject }] : [];
    if (buttons === "both" && this.where.mayAllow()) actions.push({ action: "allow", title: words.allow });
    await this.where.registration.showNotification(title, {
      body, tag: `computer ${pairing}`, icon: this.where.icon, badge: this.where.icon, data: { pairing, requests } satisfies Data, dir: "ltr",
      silent: !rings, renotify: rings, requireInteraction: requests.length > 0, actions,
    } as NotificationOptions);
  }

  async #open(pairing: string): Promise<Notification[]> {
    return this.where.registration.getNotifications({ tag: `computer ${pairing}` });
  }

  #hidden(work: () => Promise<void>): void {
    if (this.where.hidden()) this.#go(work);
  }

  #go(work: () => Promise<void>): void {
    this.#turn = this.#turn.then(work).catch(this.where.note);
  }
}
