// There is one notification for each computer at most.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cooling } from "../src/notice.ts";
import type { Data } from "../src/shelf.ts";
import { card, entry, house, plain } from "./cards.ts";

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

test("who sees the page needs no notification, but each push shows one all the same", async () => {
  const { phone, ask, notices, push } = house({ hidden: () => false });
  ask(card("a"));
  await notices.settled();
  assert.equal(phone.shown.size, 0);
  await push();
  assert.deepEqual(phone.titles(), ["root @ server.example"]);
  notices.clear();
  await notices.settled();
  assert.equal(phone.shown.size, 0);
});

test("a push waits for what it announces", async () => {
  const { phone, ask, push } = house();
  const pushed = push();
  setImmediate(() => ask(card("a")));
  await pushed;
  assert.deepEqual([phone.titles(), phone.rung], [["root @ server.example"], 1]);
});

test("a push of which nothing comes says so each time, without a sound, until it does come", async (t) => {
  const { phone, ask, notices, push } = house();
  for (let i = 1; i <= 2; i++) {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const pushed = push();
    await new Promise((resolve) => setImmediate(resolve));
    t.mock.timers.tick(8_000);
    t.mock.timers.reset();
    await pushed;
    assert.deepEqual([phone.titles(), phone.rung, phone.calls], [["A computer asked"], 0, i]);
  }
  ask(card("a"));
  await notices.settled();
  assert.deepEqual(phone.titles(), ["root @ server.example"]);
});

test("a browser that wants to see something of each push sees how it ended", async () => {
  const { phone, ask, withdraw, notices } = house({ keeps: true });
  ask(card("a"));
  await notices.settled();
  withdraw("a", "p", "rejected");
  await notices.settled();
  assert.deepEqual([phone.titles(), phone.rung], [["Rejected: root @ server.example"], 1]);
  ask(card("b"));
  await notices.settled();
  withdraw("b", "p", "cancelled");
  await notices.settled();
  assert.deepEqual([phone.titles(), phone.rung], [["Ended there: root @ server.example"], 2]);
});

test("no question is hidden by what is only told, and no refusal by a question", async () => {
  const { phone, log, ask, notices } = house();
  notices.show({ type: "Alarm", card: card("x"), code: "host_key", reason: "" });
  ask(card("a"));
  notices.lock(card("k"));
  log.push(entry("allowed", 1));
  notices.show({ type: "Note", pairing: "p", computer: "laptop", kind: "Signed", err: "", rule: "r" });
  await notices.settled();
  assert.deepEqual(phone.titles(), ["root @ server.example"]);
  assert.ok(plain([...phone.shown.values()][0]?.body ?? "").endsWith("\nRefused: root @ server.example"));
  notices.clear();
  await notices.settled();
  assert.equal(phone.shown.size, 1, "the refusal stays until it is seen");
});

test("notifications of an earlier run about what is over go", async () => {
  const { phone, ask, notices } = house();
  const data = (requests: string[]): Data => ({ pairing: "q", requests, at: 0, alarm: "" });
  await phone.showNotification("old", { tag: "computer q", data: data(["z"]) });
  await phone.showNotification("said", { tag: "computer r", data: data([]) });
  await phone.showNotification("the browser's own", { tag: "browser" });
  ask(card("a"));
  notices.sync();
  await notices.settled();
  assert.deepEqual(phone.titles(), ["said", "the browser's own", "root @ server.example"]);
});
