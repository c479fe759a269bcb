// A pairing by a link, up to the words.
import type { Event, Invitation, Phone } from "./core.d.ts";
import type { Board } from "./board.ts";
import type { Place } from "./ears.ts";
import { Refused } from "./wasm.ts";

export class Opening {
  constructor(
    private readonly board: Board,
    private readonly core: () => Phone, // throws before there is one
    private readonly post: (event: Event) => Promise<void>,
    private readonly meet: (pairing: string) => Promise<void>, // by Bluetooth, in a tap
    private readonly around: { changed(): void; note(err: unknown): void },
  ) {}

  /** openLink shows where a link leads, and sends nothing. */
  async openLink(text: string): Promise<void> {
    const link = text.trim();
    const { relay, region, account } = parse(this.core(), link);
    const place: Place = relay ? { kind: "relay", name: relay } : region ? { kind: "sqs", name: `${region}, account ${account}` } : { kind: "bluetooth", name: "" };
    this.board.open({ step: "link", link, place, id: "", computer: "", words: "", slow: false });
    this.around.changed();
  }

  async pair(): Promise<void> {
    const opened = this.board.pairing;
    if (opened?.step !== "link") return;
    this.board.open({ ...opened, step: "waiting" });
    await this.post({ type: "OpenLink", link: opened.link });
    const { pairing } = this.board;
    if (pairing?.step === "waiting" && pairing.id && pairing.place?.kind === "bluetooth") await this.meet(pairing.id);
  }

  /** again says the first word once more: nobody heard it before the computer was there. */
  again(pairing: string): void {
    const waits = this.board.pairing;
    if (waits?.step === "waiting" && waits.id === pairing) this.post({ type: "OpenLink", link: waits.link }).catch(this.around.note);
  }

  async confirm(yes: boolean): Promise<void> {
    const { pairing } = this.board;
    if (pairing?.step === "words") await this.post({ type: "Confirm", pairing: pairing.id, yes });
  }

  /** drop gives up a pairing that is not live, or what is not one yet. */
  drop(): void {
    const id = this.board.drop();
    if (id) this.post({ type: "Unpair", pairing: id }).catch(this.around.note);
    this.around.changed();
  }
}

function parse(core: Phone, link: string): Invitation {
  try {
    return core.parseLink(link);
  } catch (err) {
    if (!(err instanceof Refused)) throw err;
    throw new Error(`This is no link to pair with (${err.message}). Copy the whole line that kr pair prints.`, { cause: err });
  }
}
