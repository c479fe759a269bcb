// What the screens show, and what they may do: all that ui/ knows of the rest.
import type { Alarm, Card, Computer, Grant, Millis, Pin, Rule, Use } from "../core.d.ts";
import type { Entry } from "../entry.ts";
import type { Hint } from "../choices.ts";
import type { Channel, Place } from "../ears.ts";
import type { Key, Kind } from "../kept.ts";
import type { Care, Theme, Trouble } from "./care.ts";

/** A View is everything that is shown, made anew after each event. */
export interface View {
  /** loading: the core is on its way. dead: it has ended; why says so. busy: another tab is the phone. */
  phase: "loading" | "dead" | "busy" | "ready";
  why: string;
  cause: "app" | "storage"; // of dead
  name: string; // of this phone
  home: Home;
  keys: Key[];
  computers: Computer[];
  channels: Record<string, Channel[]>; // by pairing
  air: Record<string, Air>; // by pairing, "" is one that does not exist yet; none before it is known
  untold: string[]; // names of unpaired computers that do not know it yet
  push: Push; // whether this phone rings for a request while the app is closed
  lockScreen: boolean; // notifications may allow, not only reject
  tellRules: boolean; // notifications say what a rule allowed
  putOff: Hint[]; // that Home does not offer any more
  install: boolean; // the browser offers to install the app
  pairing: Pairing | null; // the one under way
  cards: Card[]; // requests that wait, oldest first
  ended: Ended[]; // cards that were taken away, until dismissed
  alarms: Alarm[]; // logins that were refused because of their host, until dismissed
  unlocks: Unlock[]; // requests that are allowed, but whose key is locked
  rules: Rule[];
  pins: Pin[];
  strange: Pin[]; // host keys that were refused; one may trust them
  log: Entry[]; // newest first, at most 200
  messages: Message[]; // until dismissed
  build: Build; // of the app
  theme: Theme;
  lost: boolean; // there are no keys, but there were
  troubles: Trouble[]; // oldest first, at most 20
}

/** A Build is a version of the app's files. Hashes are 16 hex digits of its service worker's SHA-256, which has those of all files. */
export interface Build {
  hash: string; // that runs here, as it says itself; "" if it came from the server just now
  next: string; // that the server has, if it is another; it waits for the person's word
  kept: "unknown" | "yes" | "no"; // on this phone, so that it starts without its server
  why: string; // not
}

/** Home is where the app runs. tab: an iOS Safari tab, which shares no storage with the Home-Screen app. */
export type Home = "installed" | "browser" | "tab";

/**
 * Push is how this phone can be woken. none: this browser has no push. home: it has, but only on the Home Screen (iOS).
 * ask: the person has not said yes yet. denied: the browser's settings refuse. working: under way. on: it rings. failed: why says so.
 */
export interface Push {
  state: "none" | "home" | "ask" | "denied" | "working" | "on" | "failed";
  why: string;
}

/** Air is Bluetooth with one computer. */
export interface Air {
  can: boolean; // this page has it
  on: boolean; // the person has chosen the computer
  says: string;
  tap: string; // what a tap does, "" for nothing
}

/** A Pairing goes link → waiting → words → agreed, then it is among the computers, or it is gone with a message. */
export interface Pairing {
  step: "link" | "waiting" | "words" | "agreed";
  link: string; // as it was opened
  place: Place | null; // where they meet; null when it is not known any more
  id: string; // of the pairing; "" before waiting
  computer: string; // "" before words
  words: string; // "" before words
  slow: boolean; // no hello for 15 s: someone else may have scanned the code
}

export interface Ended {
  card: Card;
  why: "answered" | "cancelled" | "expired" | "failed" | "locked" | "rejected"; // failed: allowed, but the key could not be used
  took: Millis; // for answered
}

export interface Unlock {
  card: Card; // what was allowed
  rule: Rule | null; // that allowed it, if it still holds
}

export interface Message {
  id: number;
  grave: boolean;
  text: string;
  do: string; // what to do next, or ""
  returns: boolean; // it is said at each start until it is acknowledged
}

/** Actions are what people do. Each rejects with an Error whose message is for people. */
export interface Actions extends Care {
  makeKey(kind: Kind, name: string): Promise<void>;
  /** canWrap is whether passkeys are offered here at all; whether they wrap keys shows when one is made. */
  canWrap(): Promise<boolean>;
  rename(name: string): Promise<void>; // this phone
  openLink(link: string): Promise<void>; // shows it; sends nothing
  scan(video: HTMLVideoElement, signal: AbortSignal): Promise<string>; // the text of a QR code; Actions show none
  pair(): Promise<void>; // the person wants to pair by the opened link
  confirm(yes: boolean): Promise<void>; // the words
  dropLink(): void;
  decide(card: Card, allow: boolean, grant: Grant): Promise<void>;
  unlock(u: Unlock): Promise<void>; // "Continue lease"; asks for the passkey
  refuseUnlock(u: Unlock): Promise<void>;
  nameComputer(pairing: string, name: string): Promise<void>; // here only
  lock(pairing: string, on: boolean): Promise<void>; // "not me": all that it asks is refused
  renameKey(fingerprint: string, name: string): Promise<void>;
  deleteKey(fingerprint: string): Promise<void>; // for good
  uses(fingerprint: string): Promise<Use[]>; // where a key was used, the latest first; reads the whole log
  unpair(pairing: string): Promise<void>; // also one that is not live yet
  revoke(rule: string): Promise<void>;
  forgetHost(pin: Pin): Promise<void>;
  trustHost(pin: Pin): Promise<void>;
  forward(pairing: string, ask: boolean): Promise<void>;
  see(pairing: string, fingerprint: string, allow: boolean): Promise<void>;
  sees(pairing: string, fingerprint: string): boolean;
  qr(text: string): Promise<string[]>; // rows of "#" and " ", without a quiet zone
  share(text: string): Promise<void>; // the system's sheet, or the clipboard
  copy(text: string): Promise<void>;
  bluetooth(pairing: string): Promise<void>; // in the tap: lets people choose the computer, or ends it
  ring(): Promise<void>; // in the tap: asks for notifications, and subscribes. Also to try again
  setLockScreen(yes: boolean): Promise<void>;
  setTellRules(yes: boolean): Promise<void>;
  putOff(hint: Hint): Promise<void>;
  install(): Promise<void>; // in the tap: the browser asks
  acknowledge(m: Message): Promise<void>; // one that returns: it does not
  dismiss(what: Ended | Alarm | Message): void; // also one of an earlier View: compare ids
  update(): Promise<void>; // runs the next build; it rejects if that could not be fetched, and this one stays
  restart(): void; // a dead core, or a busy one
}

/** NoPRF is what makeKey("wrapped") rejects with where a passkey cannot wrap keys: a plain one is offered then. */
export class NoPRF extends Error {}

/** The Grant of "once". */
export const once: Grant = { scope: "", for: 0, count: 0, closed: false };
