// What is on the screen: the core's words, kept until they are dismissed or over.
import type { Alarm, Card, Code, Millis, Note } from "./core.d.ts";
import type { Shown } from "./runner.ts";
import { type Sentence, sentence } from "./sentences.ts";
import type { Ended, Message, Pairing, View } from "./ui/view.ts";

interface Waiting {
  card: Card;
  shown: Millis;
  decided: boolean; // by a person, and under way
}

const mostAlarms = 4; // of a computer

const idOf = ({ pairing, request }: { pairing: string; request: string }): string => `${pairing} ${request}`;

// What became of a request is the core's word: not always what a person wanted, and
// not only of what they answered.
function ending(code: Code): Ended["why"] {
  switch (code) {
    case "": return "answered";
    case "rejected": case "cancelled": case "expired": case "locked": return code;
    default: return "failed";
  }
}

/** A Board has the part of a View that the core tells by and by. */
export class Board {
  #opened: Pairing | null = null; // by a person, up to the words; words of another pairing wait behind it
  readonly #told = new Map<string, Pairing>(); // by the core, by id, the newest last
  readonly #waiting = new Map<string, Waiting>();
  #ended: Ended[] = [];
  #alarms: Alarm[] = [];
  #messages: Message[] = [];
  #ids = 0;

  view(): Pick<View, "pairing" | "cards" | "ended" | "alarms" | "messages"> {
    return { pairing: this.pairing, cards: [...this.#waiting.values()].map((w) => w.card), ended: this.#ended, alarms: this.#alarms, messages: this.#messages };
  }

  /** pairing is the one to show. */
  get pairing(): Pairing | null {
    return this.#opened ?? [...this.#told.values()].at(-1) ?? null;
  }

  /** open shows a link that a person has opened, in place of what was opened before. */
  open(link: Pairing): void {
    this.#opened = link;
  }

  /** drop takes the pairing away that is shown, and returns its id. */
  drop(): string {
    const id = this.pairing?.id ?? "";
    if (this.#opened) this.#opened = null;
    else this.#told.delete(id);
    return id;
  }

  /** clear drops what a core told: another one tells it anew. What nobody but the person knows stays. */
  clear(): void {
    this.#waiting.clear();
    this.#told.clear();
    if (this.#opened?.step !== "link") this.#opened = null;
  }

  show(what: Shown): void {
    switch (what.type) {
      case "Ask": this.#waiting.set(idOf(what.card), { card: what.card, shown: Date.now(), decided: false }); return;
      case "Withdraw": return this.#withdraw(idOf(what), what.why);
      case "Alarm": return this.#alarm(what);
      case "ShowWords":
        return this.#tell({ step: "words", id: what.pairing, computer: what.computer, words: what.words, slow: false });
      case "Note": return this.#note(what);
    }
  }

  /** decided says that a person has answered, or that it did not go through; false if it was answered before. */
  decided(card: Pick<Card, "pairing" | "request">, went: boolean): boolean {
    const waiting = this.#waiting.get(idOf(card));
    if (!waiting || (went && waiting.decided)) return false;
    waiting.decided = went;
    return true;
  }

  #withdraw(id: string, code: Code): void {
    const was = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (!was) return;
    this.#ended = [...this.#ended, { card: was.card, why: ending(code), took: Date.now() - was.shown }].slice(-4);
  }

  // alarm shows each login of its kind once, so that no computer hides what another one did.
  #alarm(what: Alarm): void {
    const { pairing, name, host } = what.card;
    const its = this.#alarms.filter((a) => a.card.pairing === pairing);
    if (its.some((a) => a.code === what.code && a.card.name === name && a.card.host.fingerprint === host.fingerprint)) return;
    const oldest = its.length < mostAlarms ? undefined : its[0];
    this.#alarms = [...this.#alarms.filter((a) => a !== oldest), what];
  }

  // tell takes what the core says of a pairing: of the link that a person has tapped on, or another.
  #tell(p: Pick<Pairing, "step" | "id" | "computer"> & Partial<Pairing>): void {
    const opened = this.#opened?.step === "waiting" && this.#opened.id === p.id ? this.#opened : null;
    if (opened) this.#opened = null;
    this.#told.set(p.id, { link: "", place: null, words: "", slow: false, ...(opened ?? this.#told.get(p.id)), ...p });
  }

  #note(note: Note): void {
    const opened = this.#opened && (note.kind === "BadLink" || this.#opened.id === note.pairing) ? this.#opened : null;
    switch (note.kind) {
      case "Opened": if (this.#opened?.step === "waiting") this.#opened = { ...this.#opened, id: note.pairing }; break;
      case "NoHello": if (opened) this.#opened = { ...opened, slow: true }; break;
      case "Paired": this.#tell({ step: "agreed", id: note.pairing, computer: note.computer }); break;
      case "Live": case "Refused": case "TooLate": case "BadLink": case "Unpaired":
        if (opened) this.#opened = null;
        this.#told.delete(note.pairing);
    }
    const said = sentence(note);
    if (note.kind === "LogDamaged") this.#messages = this.#messages.filter((m) => !m.returns); // of an earlier turn of this tab
    if (said) this.say(said, note.kind === "LogDamaged");
  }

  /** say tells people something until they dismiss it. */
  say(what: Sentence, returns = false): void {
    this.#messages = [...this.#messages, { id: ++this.#ids, ...what, returns }].slice(-8);
  }

  dismiss(what: Ended | Alarm | Message): void {
    this.#ended = this.#ended.filter((e) => e !== what);
    this.#alarms = this.#alarms.filter((a) => a !== what);
    this.#messages = this.#messages.filter((m) => m !== what);
  }
}
