import assert from "node:assert/strict";
import { test } from "node:test";
import type { Card, Note } from "../src/core.d.ts";
import { Board } from "../src/board.ts";
import { LogTail } from "../src/logtail.ts";
import { memoryStore } from "../src/store.ts";

const card = (request: string): Card => ({ pairing: "p", request, computer: "laptop" }) as Card;
const note = (kind: Note["kind"], more: Partial<Note> = {}): Note => ({ type: "Note", pairing: "p", computer: "laptop", kind, err: "", rule: "", ...more });

test("a card goes with what became of it", () => {
  const board = new Board();
  for (const r of ["a", "b", "c", "d"]) board.show({ type: "Ask", card: card(r) });
  assert.ok(board.decided(card("a"), true));
  assert.ok(!board.decided(card("a"), true), "a second answer counts");
  board.show({ type: "Withdraw", pairing: "p", request: "a", why: "" });
  board.show({ type: "Withdraw", pairing: "p", request: "b", why: "rejected" }); // by the block that another card's answer gave
  board.show({ type: "Withdraw", pairing: "p", request: "c", why: "cancelled" });
  board.show({ type: "Withdraw", pairing: "p", request: "d", why: "expired" });
  board.show({ type: "Withdraw", pairing: "p", request: "unknown", why: "expired" });
  assert.deepEqual(board.view().ended.map((e) => e.why), ["answered", "rejected", "cancelled", "expired"]);
  assert.equal(board.view().cards.length, 0);
});

test("what became of an answer counts, not what was wanted", () => {
  const board = new Board();
  for (const why of ["refused", "expired", "cancelled", "locked"] as const) {
    board.show({ type: "Ask", card: card(why) });
    board.decided(card(why), true);
    board.show({ type: "Withdraw", pairing: "p", request: why, why });
  }
  assert.deepEqual(board.view().ended.map((e) => e.why), ["failed", "expired", "cancelled", "locked"]);
});

test("an answer that did not go through may be given again", () => {
  const board = new Board();
  board.show({ type: "Ask", card: card("a") });
  board.decided(card("a"), true);
  board.decided(card("a"), false);
  assert.ok(board.decided(card("a"), true));
});

test("a pairing goes its steps, and another's words do not end it", () => {
  const board = new Board();
  const place = { kind: "relay", name: "r" } as const;
  board.open({ step: "waiting", link: "l", place, id: "", computer: "", words: "", slow: false });
  board.show(note("Opened"));
  board.show(note("NoHello"));
  assert.equal(board.view().pairing?.slow, true);
  board.show({ type: "ShowWords", pairing: "p", computer: "laptop", words: "A B" });
  assert.deepEqual(board.view().pairing, { step: "words", link: "l", place, id: "p", computer: "laptop", words: "A B", slow: false });
  board.show(note("Unpaired", { pairing: "another" }));
  assert.equal(board.view().pairing?.step, "words");
  board.show(note("Paired"));
  assert.equal(board.view().pairing?.step, "agreed");
  board.show(note("Live"));
  assert.equal(board.view().pairing, null);
  assert.match(board.view().messages.at(-1)?.text ?? "", /laptop uses this phone/);
});

const opened = { step: "link", link: "new", place: null, id: "", computer: "", words: "", slow: false } as const;

test("a link that a person opened is not lost to the words of a pairing that was begun before", () => {
  const board = new Board();
  board.open(opened); // the page was opened by it, and then the core starts
  board.show({ type: "ShowWords", pairing: "old", computer: "laptop", words: "A B" });
  assert.deepEqual(board.view().pairing, opened);
  board.show(note("Refused", { pairing: "old" }));
  assert.deepEqual(board.view().pairing, opened);
  board.show({ type: "ShowWords", pairing: "old", computer: "laptop", words: "A B" });
  assert.equal(board.drop(), "", "what is dropped is the link");
  assert.equal(board.view().pairing?.words, "A B", "what waited behind it is shown");
  assert.equal(board.drop(), "old");
  assert.equal(board.view().pairing, null);
});

test("words of another pairing are not those of a link of which the core has not spoken yet", () => {
  const board = new Board();
  board.open({ ...opened, step: "waiting" });
  board.show({ type: "ShowWords", pairing: "old", computer: "laptop", words: "A B" });
  assert.deepEqual(board.view().pairing, { ...opened, step: "waiting" });
  board.show(note("Opened"));
  board.show({ type: "ShowWords", pairing: "p", computer: "laptop", words: "C D" });
  assert.deepEqual(board.view().pairing, { ...opened, step: "words", id: "p", computer: "laptop", words: "C D" });
  board.show(note("Live"));
  assert.equal(board.view().pairing?.words, "A B");
});

test("another core tells what the first one told, but knows of no link that is only open", () => {
  const board = new Board();
  board.show({ type: "ShowWords", pairing: "p", computer: "laptop", words: "A B" });
  board.open(opened);
  board.clear();
  assert.deepEqual(board.view().pairing, opened);
  board.show(note("BadLink", { pairing: "" }));
  assert.equal(board.view().pairing, null);
});

test("a damaged log is told once a turn, and returns until acknowledged", () => {
  const board = new Board();
  for (const err of ["first", "second"]) board.show(note("LogDamaged", { pairing: "", err }));
  board.show(note("Skew"));
  assert.deepEqual(board.view().messages.map((m) => m.returns), [true, false]);
  assert.match(board.view().messages[0]?.text ?? "", /second/);
});

test("messages are bounded, and go when dismissed", () => {
  const board = new Board();
  for (let i = 0; i < 20; i++) board.show(note("Skew"));
  const { messages } = board.view();
  assert.equal(messages.length, 8);
  const [first] = messages;
  assert.ok(first);
  board.dismiss(first);
  assert.equal(board.view().messages.length, 7);
});

test("the newest entries of the log pass by", async () => {
  const stored = (n: number): string => btoa(JSON.stringify({ seq: n, unix_seconds: n, decision: "allowed", reason: `e${n}` }));
  const key = (n: number): string => `log/${String(n).padStart(20, "0")}`;
  const records = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [key(i + 1), stored(i + 1)]));
  const tail = new LogTail(memoryStore({ ...records, "pairing/x": "p" }));
  const { signal } = new AbortController();
  assert.equal(Object.keys(await tail.load(signal)).length, 301);
  await tail.commit([{ key: key(301), value: stored(301) }, { key: key(1), value: null }, { key: "rule/x", value: "r" }], signal);
  const got = tail.newest().map((e) => e.reason);
  assert.deepEqual([got.length, got[0], got.at(-1)], [200, "e301", "e102"]);
});

test("a computer whose logins are refused without end hides no other computer's, and shows each once", () => {
  const board = new Board();
  const refuse = (pairing: string, name: string, fingerprint = "f", code: "host_key" | "forwarded" = "host_key"): void =>
    board.show({ type: "Alarm", code, reason: "", card: { ...card(name + fingerprint), pairing, name, host: { fingerprint } } as Card });
  refuse("honest", "server");
  for (let i = 0; i < 20; i++) refuse("evil", "server");
  assert.deepEqual(board.view().alarms.map((a) => a.card.pairing), ["honest", "evil"]);
  refuse("evil", "server", "g");
  refuse("evil", "server", "g", "forwarded");
  for (let i = 0; i < 20; i++) refuse("evil", `server ${i}`);
  assert.deepEqual(board.view().alarms.map((a) => `${a.card.pairing} ${a.card.name}`), ["honest server", ...[16, 17, 18, 19].map((i) => `evil server ${i}`)]);
});
