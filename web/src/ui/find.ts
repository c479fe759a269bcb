// What people look for in the log. Quick with as many entries as a phone keeps.
import type { Millis } from "../core.d.ts";
import type { Decision, Entry } from "../entry.ts";

/** A Query is what an entry must have: all words of text, in any order, and the rest unless it is "". */
export interface Query {
  text: string;
  decision: Decision | "";
  computer: string; // a pairing
}

export const anything: Query = { text: "", decision: "", computer: "" };

const texts = new WeakMap<Entry, string>();

function textOf(e: Entry): string {
  let text = texts.get(e);
  if (text === undefined) {
    text = [e.computer, e.user, e.host, e.namespace, e.program, e.user && `${e.user}@${e.host}`].join("\n").toLowerCase();
    texts.set(e, text);
  }
  return text;
}

/** find is the entries that fit, in their order. */
export function find(entries: readonly Entry[], { text, decision, computer }: Query): Entry[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return entries.filter((e) => (!decision || e.decision === decision) && (!computer || e.pairing === computer) && words.every((w) => textOf(e).includes(w)));
}

/** whole is the log, newest first: its newest entries, and those of history that are older. */
export function whole(newest: Entry[], history: Entry[] | null): Entry[] {
  const last = newest.at(-1);
  if (!last || !history) return newest;
  const older = history.findIndex((e) => e.seq < last.seq);
  return older < 0 ? newest : newest.concat(history.slice(older));
}

/** covers reports whether the newest entries and history are all: nothing is missing between them. */
export function covers(newest: Entry[], history: Entry[] | null): boolean {
  const [first, last] = [newest[0], newest.at(-1)];
  if (!first || !last || last.seq === 1) return true;
  const at = history?.[0]?.seq ?? 0;
  return at >= last.seq - 1 && at <= first.seq;
}

/** computersIn are the computers of entries by pairing, with their newest names. */
export function computersIn(entries: readonly Entry[]): Map<string, string> {
  const all = new Map<string, string>();
  for (const e of entries) if (e.pairing && !all.has(e.pairing)) all.set(e.pairing, e.computer);
  return all;
}

/** A Day is what was decided from a midnight to the next. */
export interface Day {
  begins: Millis;
  allowed: number;
  others: number;
}

const days = 7;

/** week counts by days of this place, the oldest first; the last one is today. */
export function week(entries: readonly Entry[], now: Millis): Day[] {
  const midnight = new Date(now);
  const all = Array.from({ length: days }, (_, i): Day => ({ begins: new Date(midnight.getFullYear(), midnight.getMonth(), midnight.getDate() - days + 1 + i).getTime(), allowed: 0, others: 0 }));
  for (const { unix, decision } of entries) {
    const day = all.findLast((d) => d.begins <= unix);
    if (!day || decision === "damaged") continue;
    if (decision === "allowed") day.allowed++;
    else day.others++;
  }
  return all;
}
