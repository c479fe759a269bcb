// What every screen is given: what is shown, what may be done, and where the person is.
import type { Chain, Millis, Use } from "../core.d.ts";
import type { Entry } from "../entry.ts";
import type { Arm } from "./arm.ts";
import type { Room } from "./care.ts";
import { anything, type Query } from "./find.ts";
import type { Actions, View } from "./view.ts";

export type Tab = "home" | "activity" | "computers" | "settings";
/** A Page lies over its tab, with a way back. */
export type Page = { name: "pair" } | { name: "scan" } | { name: "computer"; pairing: string } | { name: "key"; fingerprint: string } | { name: "hosts" } | { name: "addKey" };

/** State is what only the screens know: lost on reload, and that is fine. */
export interface State {
  tab: Tab;
  pages: Page[]; // the last one shows
  scrolls: number[]; // where each page was left for the next
  filter: string; // of the known hosts
  query: Query; // what is looked for in the log
  rows: number; // of the log that are shown
  history: Entry[] | null; // the whole log, newest first, as it was read
  chain: Chain | null; // what its verification said
  room: Room | null;
  open: Set<string>; // what was opened on the way: choices, confirmations, long texts
  code: { of: string; rows: string[] } | null; // the QR code that is shown, of a key by its fingerprint
  uses: { of: string; all: Use[] } | null; // where a key was used, by its fingerprint
  aside: Set<string>; // cards and unlocks that were put aside, until shown again
  current: string; // the card in the sheet
  busy: Set<string>; // actions under way
  errors: { id: number; text: string }[]; // of actions
  said: string; // a short word of success
  canWrap: boolean | undefined; // not known yet
  noPRF: boolean; // a passkey was made, or tried, that cannot wrap keys
  insist: boolean; // pair this Safari tab anyway
  left: Set<string>; // pairings that the person need not watch any more
}

/** A Ui is made anew for each drawing. */
export interface Ui {
  view: View;
  actions: Actions;
  state: State;
  now: Millis;
  arm: Arm;
  redraw(): void;
  /** change changes the state and draws. */
  change(f: (state: State) => void): void;
  /** run does an action: once at a time for each id, and what fails is shown. */
  run(id: string, action: () => Promise<void>): void;
  say(text: string): void;
  go(page: Page): void;
  back(): void;
}

export function newState(): State {
  return {
    tab: "home", pages: [], scrolls: [], filter: "", query: anything, rows: 100, history: null, chain: null, room: null, open: new Set(), code: null, uses: null, aside: new Set(), current: "", busy: new Set(), errors: [], said: "",
    canWrap: undefined, noPRF: false, insist: false, left: new Set(),
  };
}

/** toggle opens or closes something of the state. */
export function toggle(ui: Ui, id: string): void {
  ui.change((s) => (s.open.has(id) ? s.open.delete(id) : s.open.add(id)));
}

/** computerName is the name of a paired computer, or "". */
export function computerName(ui: Ui, pairing: string): string {
  return ui.view.computers.find((c) => c.pairing === pairing)?.name ?? "";
}

/** keyName is the name of a key of this phone, by its fingerprint. */
export function keyName(ui: Ui, fingerprint: string): string {
  return ui.view.keys.find((k) => k.fingerprint === fingerprint)?.name ?? fingerprint;
}
