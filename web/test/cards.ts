// Requests, entries of the log, and a phone that shows notifications.
import assert from "node:assert/strict";
import type { Card, Code } from "../src/core.d.ts";
import type { Entry } from "../src/entry.ts";
import { Notices, type Where } from "../src/notices.ts";
import type { Data, Registration } from "../src/shelf.ts";

export const card = (request: string, more: Partial<Card> = {}): Card => ({
  pairing: "p", request, computer: "laptop", keyName: "default", user: "root", namespace: "", name: "server.example", known: "Match", pins: [], knownAs: [], hostName: "server.example", called: "",
  host: { proof: "proved", keyType: "", fingerprint: "f", cert: null, local: true, path: [] },
  reported: { program: "git push", directory: "~/shop", remote: "", branch: "", host: "", port: 0, hostKeyAlias: false }, expires: 0, noHostRule: "", noComputerRule: "", ...more,
});
export const entry = (decision: Entry["decision"], unix: number, pairing = "p"): Entry =>
  ({ pairing, decision, unix, user: "root", host: "server.example", computer: "laptop", rule: "r" }) as Entry;

/** plain is text without the marks around what comes from outside. */
export const plain = (text: string): string => text.replace(/[\u2068\u2069]/g, "");

interface Shown extends NotificationOptions {
  title: string;
  renotify?: boolean;
  actions?: { action: string }[];
}

// Phone shows notifications as a browser does: one for each tag.
class Phone implements Registration {
  readonly shown = new Map<string, Shown>();
  rung = 0;
  calls = 0;

  async showNotification(title: string, options: NotificationOptions = {}): Promise<void> {
    const o = options as Shown;
    assert.ok(o.tag);
    assert.ok(!(o.silent && o.renotify), "browsers refuse that");
    this.calls++;
    if (!o.silent) this.rung++;
    this.shown.delete(o.tag);
    this.shown.set(o.tag, { ...o, title });
  }

  async getNotifications({ tag }: GetNotificationOptions = {}): Promise<Notification[]> {
    return [...this.shown].filter(([t]) => tag === undefined || t === tag)
      .map(([t, { title, ...more }]) => ({ title, data: more.data as Data, close: () => this.shown.delete(t) }) as unknown as Notification);
  }

  titles = (): string[] => [...this.shown.values()].map((s) => plain(s.title));
}

export function house(more: Partial<Where> = {}) {
  const phone = new Phone();
  const log: Entry[] = [];
  const notices = new Notices({
    registration: phone, icon: "/icon.png", log: () => log, mayAllow: () => false, tellRules: () => true, hidden: () => true, keeps: false,
    note: (err) => { throw err; }, ...more,
  });
  const ask = (...cards: Card[]) => cards.forEach((c) => notices.show({ type: "Ask", card: c }));
  const withdraw = (request: string, pairing = "p", why: Code = "") => notices.show({ type: "Withdraw", pairing, request, why });
  const push = (deliver: () => void = () => undefined) => notices.push(async () => deliver(), AbortSignal.timeout(20_000));
  return { phone, log, notices, ask, withdraw, push };
}
