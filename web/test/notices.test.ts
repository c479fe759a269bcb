// There is one notification for each computer at most.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Card, Entry } from "../src/core.d.ts";
import { cooling } from "../src/notice.ts";
import { Notices, type Data, type Registration, type Where } from "../src/notices.ts";
import { card, entry, plain } from "./cards.ts";

interface Shown extends NotificationOptions {
  title: string;
  renotify?: boolean;
  actions?: { action: string }[];
}

// Phone shows notifications as a browser does: one for each tag.
class Phone implements Registration {
  readonly shown = new Map<string, Shown>();
  rung = 0;

  async showNotification(title: string, options: NotificationOptions = {}): Promise<void> {
    const o = options as Shown;
    assert.ok(o.tag);
    assert.ok(!(o.silent && o.renotify), "browsers refuse that");
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

function house(more: Partial<Where> = {}) {
  const phone = new Phone();
  const log: Entry[] = [];
  const notices = new Notices({
    registration: phone, icon: "/icon.png", log: () => log, mayAllow: () => false, tellRules: () => true, hidden: () => true,
    note: (err) => { throw err; }, ...more,
  });
  const ask = (...cards: Card[]) => cards.forEach((c) => notices.show({ type: "Ask", card: c }));
  const withdraw = (request: string, pairing = "p") => notices.show({ type: "Withdraw", pairing, request, why: "" });
  return { phone, log, notices, ask, withdraw };
}

test("several requests of a computer are one notification, which rings for each once", async () => {
  const { phone, ask, withdraw, notices } = house();
  ask(card("a"));
  await notices.settled();
  assert.deepEqual([phone.titles(), phone.rung], [["root @ server.example"], 1]);
  ask(card("a")); // repeated
  await notices.settled();
  assert.equal(phone.rung, 1);
  ask(card("b", { user: "deploy" }), card("c"));
  await notices.settled();
  assert.deepEqual(phone.titles(), ["3 requests from laptop"]);
  assert.equal(phone.rung, 2, "b and c ring once together");
  withdraw("a");
  withdraw("c");
  await notices.settled();
  assert.deepEqual([phone.titles(), notices.waiting], [["deploy @ server.example"], 1]);
  ask(card("x", { pairing: "q", computer: "desk" }));
  await notices.settled();
  assert.equal(phone.shown.size, 2, "another computer has its own");
  withdraw("b");
  withdraw("x", "q");
  await notices.settled();
  assert.equal(phone.shown.size, 0);
});

test("Reject is always there, Allow if the person wants it and the host is known, neither for several", async () => {
  const buttons = (p: Phone): string[] => [...p.shown.values()][0]?.actions?.map((a) => a.action) ?? [];
  for (const may of [false, true]) {
    const { phone, ask, notices } = house({ mayAllow: () => may });
    ask(card("a"));
    await notices.settled();
    assert.deepEqual(buttons(phone), may ? ["reject", "allow"] : ["reject"]);
    ask(card("b"));
    await notices.settled();
    assert.deepEqual(buttons(phone), []);
    for (const odd of [{ known: "New" }, { namespace: "git" }, { host: { ...card("").host, local: false } }, { host: { ...card("").host, proof: "bound" } }] as Partial<Card>[]) {
      const other = house({ mayAllow: () => may });
      other.ask(card("a", odd));
      await other.notices.settled();
      assert.deepEqual(buttons(other.phone), ["reject"], JSON.stringify(odd));
    }
  }
});

test("who sees the page needs no notification, but a push shows one all the same", async () => {
  const { phone, ask, notices } = house({ hidden: () => false });
  ask(card("a"));
  await notices.settled();
  assert.equal(phone.shown.size, 0);
  notices.pushed();
  await notices.settled();
  assert.deepEqual(phone.titles(), ["root @ server.example"]);
  notices.clear();
  await notices.settled();
  assert.equal(phone.shown.size, 0);
});

test("a push about nothing that waits says so, without a sound", async () => {
  const { phone, notices } = house();
  notices.pushed();
  await notices.settled();
  assert.deepEqual([phone.titles(), phone.rung], [["A request is over"], 0]);
});

test("what a rule allowed is said quietly, or not", async () => {
  for (const tell of [true, false]) {
    const { phone, log, notices } = house({ tellRules: () => tell });
    log.push(entry("allowed", 1));
    notices.show({ type: "Note", pairing: "p", computer: "laptop", kind: "Signed", err: "", rule: "r" });
    notices.pushed();
    await notices.settled();
    assert.deepEqual([phone.titles(), phone.rung], [tell ? ["root @ server.example"] : [], 0]);
  }
});

test("three ignored requests make a computer quiet for ten minutes, an answer ends it", async () => {
  const now = Date.now();
  const ignored = [entry("expired", now), entry("rejected", now, "other"), entry("expired", now - 60_000), entry("expired", now - 120_000)];
  assert.ok(cooling(ignored, "p", now + 599_999));
  assert.ok(!cooling(ignored, "p", now + 600_001));
  assert.ok(!cooling([entry("allowed", now), ...ignored], "p", now));
  assert.ok(!cooling(ignored.slice(1), "p", now));
  const { phone, log, ask, notices } = house();
  log.push(...ignored);
  ask(card("a"));
  await notices.settled();
  assert.deepEqual([phone.titles(), phone.rung], [["root @ server.example"], 0]);
});

test("notifications of an earlier run about what is over go", async () => {
  const { phone, ask, notices } = house();
  await phone.showNotification("old", { tag: "computer q", data: { pairing: "q", requests: ["z"] } satisfies Data });
  await phone.showNotification("said", { tag: "computer r", data: { pairing: "r", requests: [] } satisfies Data });
  ask(card("a"));
  notices.sync();
  await notices.settled();
  assert.deepEqual(phone.titles(), ["said", "root @ server.example"]);
});
