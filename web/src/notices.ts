// The notifications of this phone: one for each computer at most.
import type { Alarm, Card } from "./core.d.ts";
import type { Entry } from "./entry.ts";
import { loud } from "./loud.ts";
import { asks, cooling, ended, locked, type Notice, over, refused, ruled } from "./notice.ts";
import type { Shown } from "./runner.ts";
import { dataOf, type Registration, Shelf } from "./shelf.ts";
import { sleep } from "./wait.ts";
import { Waiting } from "./waiting.ts";

export interface Where {
  registration: Registration;
  icon: string; // URL
  log(): Entry[]; // newest first
  mayAllow(card: Card): boolean; // the person lets notifications allow, and the key can
  tellRules(): boolean; // the person wants to hear what rules allow
  hidden(): boolean; // nobody sees the page
  keeps: boolean; // how a request ended is said in its notification's place: browsers want to see one of each push
  note(err: unknown): void;
}

const mail = 8_000; // ms, for what a push was about to come

/** Notices follow what the core shows. */
export class Notices {
  readonly #waiting = new Waiting<Card>();
  readonly #locked = new Waiting<Card>(); // for their key
  #ruled: { pairing: string; notice: Notice } | undefined; // allowed by a rule, and not told
  #news = new AbortController(); // ends when there is something to show
  #turn: Promise<void> = Promise.resolve();
  readonly #shelf: Shelf;

  constructor(private readonly where: Where) {
    this.#shelf = new Shelf(where.registration, where.icon);
  }

  /** waiting is how many requests wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** settled resolves when notifications are as they should be. */
  async settled(): Promise<void> {
    await this.#turn;
  }

  /** show takes what the core shows. What people see on the page needs no notification. */
  show(what: Shown): void {
    switch (what.type) {
      case "Ask":
        this.#waiting.add(what.card);
        return this.#tell(() => this.#draw(what.card.pairing));
      case "Withdraw": {
        const card = this.#waiting.take(what.pairing, what.request);
        const lock = this.#locked.take(what.pairing, what.request);
        if (card || lock) this.#go(() => this.#redraw(what.pairing, card && ended(card, what.why)));
        return;
      }
      case "Alarm": return this.#tell(() => this.#draw(what.card.pairing, what));
      case "Note": {
        const entry = what.kind === "Signed" && what.rule ? this.#log().find((e) => e.pairing === what.pairing && e.rule === what.rule) : undefined;
        if (!entry) return;
        this.#ruled = { pairing: what.pairing, notice: ruled(entry) };
        this.#tell(() => (this.where.tellRules() ? this.#say() : Promise.resolve()));
      }
    }
  }

  /** lock says that a request waits for its key. */
  lock(card: Card): void {
    const { pairing } = card;
    this.#locked.add(card);
    this.#tell(async () => (this.#waiting.of(pairing).length === 0 ? this.#draw(pairing) : undefined)); // a question goes before it
  }

  /**
   * push shows something for one push, whoever sees the page. deliver is what
   * takes its frame; if nothing comes of that, it waits for the mailbox.
   */
  async push(deliver: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const [before, news] = [this.#shelf.count, this.#news.signal];
    this.#ruled = undefined;
    await deliver();
    if (this.waiting === 0 && !news.aborted) await sleep(mail, AbortSignal.any([signal, news])).catch(() => signal.throwIfAborted());
    this.#go(async () => {
      for (const pairing of this.#shelf.count === before ? new Set([...this.#waiting.pairings(), ...this.#locked.pairings()]) : []) await this.#draw(pairing);
      if (this.#ruled && !this.where.tellRules()) return this.#shelf.flash(this.#ruled.pairing, this.#ruled.notice);
      await this.#say();
      if (this.#shelf.count === before) await this.#shelf.put("", over, false);
    });
    await this.settled();
  }

  /** clear closes all but refusals: people see the page. */
  clear(): void {
    this.#go(() => this.#shelf.close(({ alarm }) => !alarm));
  }

  /** sync closes what an earlier run left about requests that do not wait any more. */
  sync(): void {
    this.#go(() => this.#shelf.close(({ pairing, requests }) => requests.length > 0 && !requests.some((r) => this.#waiting.has(pairing, r) || this.#locked.has(pairing, r))));
  }

  // draw draws the question of a computer, if there is one: what was refused is said beside it.
  async #draw(pairing: string, alarm?: Alarm): Promise<void> {
    const [[card, ...more], [lock, ...locks]] = [this.#waiting.of(pairing), this.#locked.of(pairing)];
    const rung = await this.#shelf.rung(pairing);
    const fresh = (all: Card[]): boolean => all.some((r) => !rung.includes(r.request));
    const [said, rings] = alarm ? [refused(alarm), loud(this.#log(), alarm, Date.now())] : [undefined, false];
    if (card) await this.#shelf.put(pairing, asks([card, ...more], this.where.mayAllow(card)), rings || (fresh([card, ...more]) && !cooling(this.#log(), pairing, Date.now())), said?.title);
    else if (lock) await this.#shelf.put(pairing, locked(lock.computer, [lock, ...locks].map((l) => l.request)), rings || fresh([lock, ...locks]), said?.title);
    else if (said) await this.#shelf.put(pairing, said, rings, said.title);
    else return;
    for (const n of await this.#shelf.open("")) n.close(); // that there was nothing: it was only late
  }

  // redraw is for less than before: where nothing is shown, nothing is to be shown.
  async #redraw(pairing: string, how: Notice | undefined): Promise<void> {
    const open = (await this.#shelf.open(pairing)).filter((n) => dataOf(n).requests.length > 0);
    if (open.length === 0) return;
    if (this.#waiting.of(pairing).length + this.#locked.of(pairing).length > 0) return this.#draw(pairing);
    if (how && this.where.keeps) return this.#shelf.put(pairing, how, false);
    for (const n of open) n.close();
  }

  async #say(): Promise<void> {
    const said = this.#ruled;
    this.#ruled = undefined;
    if (said && this.#waiting.of(said.pairing).length === 0) await this.#shelf.put(said.pairing, said.notice, false); // it must not hide a question
  }

  #log(): Entry[] {
    try {
      return this.where.log();
    } catch (err) {
      this.where.note(err);
      return [];
    }
  }

  #tell(work: () => Promise<void>): void {
    this.#news.abort();
    this.#news = new AbortController();
    if (this.where.hidden()) this.#go(work);
  }

  #go(work: () => Promise<void>): void {
    this.#turn = this.#turn.then(work).catch(this.where.note);
  }
}
