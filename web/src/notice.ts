// What a notification says: pure, for pages and the service worker.
import type { Alarm, Base64, Card, Code, Millis } from "./core.d.ts";
import type { Entry } from "./entry.ts";
import { t } from "./text/en.ts";
import { notices as words } from "./text/notices.en.ts";
import { cut } from "./ui/clean.ts";
import { known } from "./ui/group.ts";

/** A Notice is one notification. requests are those that it asks about. */
export interface Notice {
  title: string;
  body: string;
  requests: Base64[];
  buttons: ("reject" | "allow")[]; // what may be answered without a look at the card
}

const lines = 4; // of several requests
const ignoredMost = 3;
const coolDown = 600_000; // ms

// part is text from outside, in a direction of its own: it moves nothing around it.
const part = (text: string, max: number): string => `\u2068${cut(text, max).text}\u2069`;

const what = (user: string, host: string): string => `${part(user || words.noUser, 32)} @ ${part(host || words.noHost, 64)}`;

const subject = (card: Card): string => (card.namespace ? words.sign(part(card.namespace, 48)) : what(card.user, card.hostName));

/** asks is about the requests of one computer that wait. One of a known host may be allowed, if it may at all. */
export function asks(cards: [Card, ...Card[]], mayAllow: boolean): Notice {
  const [card] = cards;
  const computer = part(card.computer, 32);
  const requests = cards.map((c) => c.request);
  if (cards.length > 1) {
    const some = cards.slice(0, lines).map(subject);
    if (cards.length > lines) some.push(words.more(cards.length - lines));
    return { title: words.many(cards.length, computer), body: some.join("\n"), requests, buttons: [] };
  }
  const how = [!card.namespace && (card.known === "New" && card.host.fingerprint && card.knownAs.length === 0 ? words.first : t.proofWord(known(card))), card.called && words.called(part(card.called, 64)), !card.host.local && words.forwarded];
  const { program, directory } = card.reported;
  const by = program || directory ? words.by(computer, program && part(program, 80), directory && part(directory, 64)) : "";
  const body = [[words.from(computer), ...how].filter(Boolean).join(" · "), by].filter(Boolean).join("\n");
  const seen = card.namespace === "" && card.host.local && card.known === "Match" && card.host.proof !== "unknown" && card.host.proof !== "bound";
  return { title: subject(card), body, requests, buttons: seen && mayAllow ? ["reject", "allow"] : ["reject"] };
}

const says = (title: string, body: string): Notice => ({ title, body, requests: [], buttons: [] });

/** refused is about what was not signed because of its host, or because it was forwarded. */
export function refused({ card, code }: Alarm): Notice {
  return says(words.refused(subject(card)), (code === "forwarded" ? words.notFromHere : words.hostKey)(part(card.computer, 32)));
}

/** ruled is about what a rule has allowed. */
export const ruled = ({ user, host, computer }: Entry): Notice => says(what(user, host), words.ruled(part(computer, 32)));

/** locked is about requests of a computer that a rule allows, and that wait for their key. */
export const locked = (computer: string, requests: Base64[]): Notice => ({ ...says(words.goOn(part(computer, 32)), words.goOnSays), requests });

/** ended is how a request ended. */
export function ended(card: Card, why: Code): Notice {
  const how = why === "cancelled" || why === "expired" || why === "rejected" ? why : why ? "failed" : "allowed";
  return says(words.ended[how](subject(card)), words.from(part(card.computer, 32)));
}

/** over is for a push about nothing that waits. */
export const over = says(words.over, words.overSays);

/** unread is for a push that could not be read. */
export const unread = says(words.asked, words.askedSays);

/**
 * cooling is whether notifications of a computer stay quiet for now: its last
 * three requests were not answered, the newest of them within ten minutes. log
 * has the newest entry first.
 */
export function cooling(log: Entry[], pairing: string, now: Millis): boolean {
  const last = log.filter((e) => e.pairing === pairing).slice(0, ignoredMost);
  return last.length === ignoredMost && last.every((e) => e.decision === "expired") && now - (last[0]?.unix ?? 0) < coolDown;
}
