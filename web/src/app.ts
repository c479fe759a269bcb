// The controller: the core's words become a View, what people do becomes events.
import type { Alarm, Card, Event, Grant } from "./core.d.ts";
import { Air } from "./air.ts";
import { Board } from "./board.ts";
import { type Errand, perform } from "./errands.ts";
import type { ToSign } from "./key.ts";
import type { Keyring } from "./keyring.ts";
import { Opening } from "./opening.ts";
import { canMake } from "./passkey.ts";
import { keepOpen, type Parts, parts } from "./parts.ts";
import type { Shown } from "./runner.ts";
import { draw } from "./qr.ts";
import { scan } from "./scan.ts";
import { Ringing } from "./ringing.ts";
import type { Started } from "./start.ts";
import { type Actions, type Ended, type Message, type Unlock } from "./ui/view.ts";
import { Unlocks } from "./unlocks.ts";
import { Upkeep } from "./upkeep.ts";

/** Around is what the app needs of the page. */
export interface Around {
  qrWasm: string; // where the program for QR codes is
  icon: string; // URL, of notifications
  changed(): void; // a View would be another
  note(err: unknown): void;
  restart(): void; // the page's
  update(): Promise<void>;
  look(): Promise<boolean>; // for an update
  install(): Promise<void>;
}

/** An App is what people see of a phone, and do. */
export class App extends Upkeep implements Actions {
  readonly board = new Board();
  readonly ringing: Ringing;
  readonly air: Air;
  readonly #opening: Opening;
  readonly #unlocks: Unlocks;
  #at: Started<Keyring> | undefined;

  constructor(private readonly around: Around) {
    super();
    this.ringing = new Ringing(around);
    this.air = new Air({ ...around, came: (pairing) => this.#opening.again(pairing) });
    this.#unlocks = new Unlocks(around.changed);
    this.#opening = new Opening(this.board, () => this.started().core, (event) => this.post(event), this.air.meet, around);
  }

  /** begin is called when the phone has started, and end when it does not work any more; then signal has ended. */
  begin(at: Started<Keyring>, signal: AbortSignal): void {
    this.#at = at;
    this.ringing.begin(at, signal);
    this.air.begin(at, signal);
    this.#keep();
  }

  /** end forgets what was on the screen: the next turn begins from the store. */
  end(): void {
    this.#at?.keys.lock();
    this.#at = undefined;
    this.board.clear();
    this.around.changed();
  }

  /** parts is a View without what only the page knows. */
  parts(): Parts {
    return parts(this.#at, this.board, this.#unlocks, this.ringing, this.air, this.around.note);
  }

  /** show takes what the core tells people. */
  show(what: Shown): void {
    this.board.show(what);
    this.ringing.show(what);
    this.#keep();
    this.around.changed();
  }

  /** ask shows that a request goes on by a tap only. */
  ask(what: ToSign, signal: AbortSignal): Promise<void> {
    const rule = this.started().core.rules(Date.now()).find((r) => r.id === what.rule) ?? null;
    this.ringing.lock(what.card);
    return this.#unlocks.ask({ card: what.card, rule }, signal);
  }

  canWrap = canMake;
  scan(video: HTMLVideoElement, signal: AbortSignal): Promise<string> {
    return scan(video, this.around.qrWasm, signal);
  }

  openLink = (text: string): Promise<void> => this.#opening.openLink(text);
  pair = (): Promise<void> => this.#opening.pair();
  confirm = (yes: boolean): Promise<void> => this.#opening.confirm(yes);
  dropLink = (): void => this.#opening.drop();

  /** decide must be called in the tap: the passkey's prompt follows it. */
  async decide(card: Card, allow: boolean, grant: Grant): Promise<void> {
    const { pairing, request } = card;
    if (!this.board.decided(card, true)) return;
    if (allow) this.started().keys.allowed({ pairing, request });
    try {
      await this.post({ type: "Decide", pairing, request, allow, grant });
    } catch (err) {
      this.board.decided(card, false);
      throw err;
    }
  }

  /** errand does what came to the service worker. */
  async errand(errand: Errand, signal: AbortSignal): Promise<void> {
    const decided = (card: Errand & { type: "decide" }, went: boolean): void => void this.board.decided(card, went);
    await perform(errand, { ...(await this.ringing.desk()), decided }, signal);
  }

  unlock = async (u: Unlock): Promise<void> => this.#unlocks.answer(u, true);
  refuseUnlock = async (u: Unlock): Promise<void> => this.#unlocks.answer(u, false);
  sees = (pairing: string, fingerprint: string): boolean => this.started().core.sees(pairing, fingerprint);
  qr = (text: string): Promise<string[]> => draw(text, this.around.qrWasm, new AbortController().signal);
  bluetooth = (pairing: string): Promise<void> => this.air.tap(pairing);
  restart = (): void => this.around.restart();
  update = (): Promise<void> => this.around.update();
  look = (): Promise<boolean> => this.around.look();
  install = (): Promise<void> => this.around.install();

  async acknowledge(m: Message): Promise<void> {
    await this.post({ type: "Acknowledge" });
    this.dismiss(m);
  }

  dismiss(what: Ended | Alarm | Message): void {
    this.board.dismiss(what);
    this.around.changed();
  }

  protected async post(event: Event): Promise<void> {
    await this.started().runner.post(event);
    this.#keep();
    this.around.changed();
  }

  #keep(): void {
    if (this.#at) keepOpen(this.#at);
  }

  protected changed = (): void => this.around.changed();
  protected started(): Started<Keyring> {
    if (!this.#at) throw new Error("the phone is still starting: try again in a moment");
    return this.#at;
  }
}
