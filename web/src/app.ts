// The controller: the core's words become a View, what people do becomes events.
import type { Alarm, Card, Event, Grant, Pin } from "./core.d.ts";
import { Board } from "./board.ts";
import type { ToSign } from "./key.ts";
import type { Kind } from "./newkey.ts";
import { Opening } from "./opening.ts";
import { canMake, NoSecret } from "./passkey.ts";
import { copy, share } from "./place.ts";
import { about, keepOpen, type Parts, parts } from "./parts.ts";
import type { Shown } from "./runner.ts";
import { scan } from "./scan.ts";
import type { Started } from "./start.ts";
import { type Actions, type Ended, type Message, NoPRF, type Unlock } from "./ui/view.ts";
import { Unlocks } from "./unlocks.ts";

/** Around is what the app needs of the page. */
export interface Around {
  qrWasm: string; // where the reader of QR codes is
  changed(): void; // a View would be another
  note(err: unknown): void;
  restart(): void; // the page's
}

/** An App is what people see of a phone, and do with it. */
export class App implements Actions {
  readonly board = new Board();
  readonly #opening: Opening;
  readonly #unlocks: Unlocks;
  #at: Started | undefined;

  constructor(private readonly around: Around) {
    this.#unlocks = new Unlocks(around.changed);
    this.#opening = new Opening(this.board, () => this.#started().core, (event) => this.#post(event), around);
  }

  /** begin is called when the phone has started, and end when it does not work any more. */
  begin(at: Started): void {
    this.#at = at;
    this.#keep();
  }

  /** end forgets what was on the screen: the next turn begins from the store. */
  end(): void {
    this.#at?.keyring.lock();
    this.#at = undefined;
    this.board.clear();
    this.around.changed();
  }

  /** parts is a View without what only the page knows. */
  parts(): Parts {
    return parts(this.#at, this.board, this.#unlocks, this.around.note);
  }

  /** show takes what the core tells people. */
  show(what: Shown): void {
    this.board.show(what);
    this.#keep();
    this.around.changed();
  }

  /** ask shows that a request goes on by a tap only. */
  ask(what: ToSign, signal: AbortSignal): Promise<void> {
    return this.#unlocks.ask(what, about(this.#started(), what), signal);
  }

  canWrap = canMake;

  async makeKey(kind: Kind, name: string): Promise<void> {
    const { keyring, runner } = this.#started();
    try {
      await keyring.make(kind, name, new AbortController().signal);
    } catch (err) {
      throw err instanceof NoSecret ? new NoPRF(err.message) : err;
    }
    await runner.post({ type: "KeysChanged", keys: keyring.keys() });
    this.around.changed();
  }

  async rename(name: string): Promise<void> {
    await this.#started().rename(name);
    await this.#post({ type: "Renamed", name });
  }

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
    if (!this.board.decided(card, allow ? "answered" : "rejected")) return;
    if (allow) this.#started().keyring.allowed({ pairing, request });
    try {
      await this.#post({ type: "Decide", pairing, request, allow, grant });
    } catch (err) {
      this.board.decided(card, "");
      throw err;
    }
  }

  unlock = async (u: Unlock): Promise<void> => this.#unlocks.answer(u, true);
  refuseUnlock = async (u: Unlock): Promise<void> => this.#unlocks.answer(u, false);
  unpair = (pairing: string): Promise<void> => this.#post({ type: "Unpair", pairing });
  revoke = (rule: string): Promise<void> => this.#post({ type: "Revoke", rule });
  forgetHost = ({ name, scope }: Pin): Promise<void> => this.#post({ type: "ForgetHost", name, scope });
  trustHost = ({ name, scope }: Pin): Promise<void> => this.#post({ type: "TrustHost", name, scope });
  forward = (pairing: string, ask: boolean): Promise<void> => this.#post({ type: "Forward", pairing, ask });
  see = (pairing: string, fingerprint: string, allow: boolean): Promise<void> => this.#post({ type: "AllowKey", pairing, fingerprint, allow });
  sees = (pairing: string, fingerprint: string): boolean => this.#started().core.sees(pairing, fingerprint);
  ring = (): Promise<void> => Promise.reject(new Error("notifications are not there yet"));
  setLockScreen = this.ring;
  setTellRules = this.ring;
  qr = (text: string): string[] => this.#started().core.qr(text);
  copy = (text: string): Promise<void> => copy(text);
  restart = (): void => this.around.restart();

  share = (text: string): Promise<void> => share(text);

  async acknowledge(m: Message): Promise<void> {
    await this.#post({ type: "Acknowledge" });
    this.dismiss(m);
  }

  dismiss(what: Ended | Alarm | Message): void {
    this.board.dismiss(what);
    this.around.changed();
  }

  async #post(event: Event): Promise<void> {
    await this.#started().runner.post(event);
    this.#keep();
    this.around.changed();
  }

  #keep(): void {
    if (this.#at) keepOpen(this.#at);
  }

  #started(): Started {
    if (!this.#at) throw new Error("the phone is still starting: try again in a moment");
    return this.#at;
  }
}
