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
  notices.lock("p", "a", "laptop");
  notices.sync();
  notices.lock("p", "a", "laptop"); // as the next run says it again
  await notices.settled();
  assert.deepEqual([phone.titles().length, phone.rung], [1, 1]);
  withdraw("a", "p", "expired");
  await notices.settled();
  assert.equal(phone.shown.size, 0);
});
