// What a rule allowed, and what waits for its key, among other notifications.
import assert from "node:assert/strict";
import { test } from "node:test";
import { card, entry, house, plain } from "./cards.ts";

test("what a rule allowed is said quietly, or not, and once", async () => {
  for (const tell of [true, false]) {
    const { phone, log, notices, push } = house({ tellRules: () => tell });
    log.push(entry("allowed", 1));
    await push(() => notices.show({ type: "Note", pairing: "p", computer: "laptop", kind: "Signed", err: "", rule: "r" }));
    assert.deepEqual([phone.titles(), phone.rung, phone.calls], [tell ? ["root @ server.example"] : [], 0, 1]);
  }
});

test("what a rule allowed takes no question and no refusal away, said or not", async () => {
  for (const tell of [true, false]) {
    const { phone, log, ask, withdraw, notices, push } = house({ tellRules: () => tell, keeps: true });
    log.push(entry("allowed", 1));
    const ruled = (): void => notices.show({ type: "Note", pairing: "p", computer: "laptop", kind: "Signed", err: "", rule: "r" });
    ask(card("a"));
    await notices.settled();
    await push(ruled);
    assert.deepEqual(phone.titles(), ["root @ server.example"], "it waited before");
    await push(() => (ask(card("b", { user: "deploy" })), ruled()));
    assert.deepEqual(phone.titles(), ["2 requests from laptop"], "it came with it");
    for (const request of ["a", "b"]) withdraw(request, "p", "cancelled");
    notices.show({ type: "Alarm", card: card("x"), code: "host_key", reason: "" });
    await notices.settled();
    await push(ruled);
    const [{ title = "", body = "" } = {}] = phone.shown.values();
    assert.match(plain(`${title}\n${body}`), /Refused: root @ server\.example/);
  }
});

test("what waits for its key rings once, and goes with its request", async () => {
  const { phone, notices, withdraw } = house({ keeps: true });
  notices.lock(card("a"));
  notices.sync();
  notices.lock(card("a")); // as the next run says it again
  await notices.settled();
  assert.deepEqual([phone.titles().length, phone.rung], [1, 1]);
  withdraw("a", "p", "expired");
  await notices.settled();
  assert.equal(phone.shown.size, 0);
});

test("each push shows something, also where a rule is not to be heard of, and an old notification lies there", async () => {
  const { phone, log, notices, ask, withdraw, push } = house({ tellRules: () => false, keeps: true });
  log.push(entry("allowed", 1));
  ask(card("a"));
  await notices.settled();
  withdraw("a", "p", "cancelled");
  await notices.settled();
  assert.equal(phone.titles().length, 1);
  const [before, titles] = [phone.calls, phone.titles()];
  for (let i = 0; i < 3; i++) await push(() => notices.show({ type: "Note", pairing: "p", computer: "laptop", kind: "Signed", err: "", rule: "r" }));
  assert.deepEqual([phone.calls - before, phone.titles()], [3, titles]);
});

test("a second push about what waits for its key says so again, and rings no more", async (t) => {
  const { phone, notices, push } = house({ keeps: true });
  await push(() => notices.lock(card("a")));
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const pushed = push(); // it may be about another computer's, which is in the mailbox
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(phone.calls, 1);
  t.mock.timers.tick(8_000);
  await pushed;
  assert.deepEqual([phone.titles(), phone.calls, phone.rung], [["laptop waits for the key"], 2, 1]);
});

test("two wait for their key: the other one is still said when the first is over", async () => {
  const { phone, notices, withdraw } = house({ keeps: true });
  for (const request of ["a", "b"]) notices.lock(card(request));
  withdraw("b", "p", "cancelled");
  await notices.settled();
  assert.deepEqual(phone.titles(), ["laptop waits for the key"]);
  withdraw("a", "p", "cancelled");
  await notices.settled();
  assert.equal(phone.shown.size, 0);
});

test("a question goes before what waits for its key, which is said after it", async () => {
  const { phone, notices, ask, withdraw } = house({ keeps: true });
  ask(card("q"));
  notices.lock(card("a"));
  await notices.settled();
  assert.deepEqual([phone.titles(), phone.rung], [["root @ server.example"], 1]);
  withdraw("q", "p", "");
  await notices.settled();
  assert.deepEqual(phone.titles(), ["laptop waits for the key"]);
});
