// Refused logins among other notifications.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Alarm } from "../src/core.d.ts";
import type { Data } from "../src/shelf.ts";
import { card, entry, house, plain } from "./cards.ts";

const refusal = (request: string, fingerprint = "f", pairing = "p"): Alarm => ({ type: "Alarm", code: "host_key", reason: fingerprint, card: card(request, { pairing, user: "git", host: { ...card("").host, fingerprint } }) });

test("a refusal takes no waiting question off the lock screen, nor its buttons", async () => {
  const { phone, ask, withdraw, notices } = house({ mayAllow: () => true });
  ask(card("a"));
  notices.show(refusal("x"));
  await notices.settled();
  const [shown] = phone.shown.values();
  assert.deepEqual([phone.titles(), phone.rung, shown?.actions?.map((a) => a.action), (shown?.data as Data).requests], [["root @ server.example"], 2, ["reject", "allow"], ["a"]]);
  assert.ok(plain(shown?.body ?? "").endsWith("\nRefused: git @ server.example"));
  withdraw("a");
  notices.lock(card("k"));
  notices.show(refusal("y", "g"));
  await notices.settled();
  assert.deepEqual((([...phone.shown.values()][0]?.data ?? {}) as Data).requests, ["k"]);
});

test("one more refusal of a kind does not ring, nor does a computer that has rung three times in ten minutes", async () => {
  const { phone, log, notices } = house();
  const refuse = async (request: string, fingerprint = "f", pairing = "p"): Promise<number> => {
    log.unshift({ ...entry("refused", Date.now(), pairing), request, reason: fingerprint, hostKey: fingerprint }); // the core writes first
    notices.show(refusal(request, fingerprint, pairing));
    await notices.settled();
    return phone.rung;
  };
  assert.deepEqual([await refuse("a"), await refuse("b"), await refuse("c", "g"), await refuse("d", "h"), await refuse("e", "i")], [1, 1, 2, 2, 2]);
  assert.equal(await refuse("f", "f", "q"), 3, "another computer's rings");
  for (const e of log) e.unix -= 600_001;
  assert.equal(await refuse("g"), 4);
});
