import assert from "node:assert/strict";
import { test } from "node:test";
import { full, now, plainKey, used } from "../gallery/fakes.ts";
import type { Arm } from "../src/ui/arm.ts";
import { computer, computers } from "../src/ui/computers.ts";
import { deleteSheet } from "../src/ui/key.ts";
import { lockSheet } from "../src/ui/lock.ts";
import type { View } from "../src/ui/view.ts";
import { part } from "./part.ts";

const lockedLaptop = full.computers.map((c, i) => (i === 0 ? { ...c, locked: now - 60_000 } : c));

test("a computer's page says whether it is locked, and what it may do", () => {
  const free = part((ui) => computer(ui, "p1"), {}).words;
  assert.match(free, /Not me: lock it/);
  assert.match(free, /root@server\.example\.comuntil \d\d:40, 1 h 36 min left · 7 logins leftRevoke/);
  assert.doesNotMatch(free, /Locked/);
  const locked = part((ui) => computer(ui, "p1"), { computers: lockedLaptop }).words;
  assert.match(locked, /Locked 1 min ago\. Since then all that laptop asks is refused/);
  assert.doesNotMatch(locked, /Not me/);
  assert.match(part((ui) => computers(ui), { computers: lockedLaptop }).words, /laptoplocked: all that it asks is refused/);
});

test("the question of a lock does not turn into that of its end", () => {
  const open = (over: Partial<View>): ReturnType<typeof part> => part((ui) => {
    ui.state.open.add("lock p1");
    return lockSheet({ ...ui, arm: { ready: () => true } as unknown as Arm, change: (f) => f(ui.state) });
  }, over);
  const lock = open({});
  assert.match(lock.words, /^Lock laptop\?/);
  lock.press("Lock");
  assert.deepEqual(lock.calls, [["lock", "p1", true]]);
  const unlock = open({ computers: lockedLaptop });
  assert.match(unlock.words, /^Unlock laptop\?/);
  unlock.press("Unlock");
  assert.deepEqual(unlock.calls, [["lock", "p1", false]]);
});

test("a key is deleted by the second step only, and what that does is said", () => {
  const [first] = full.keys;
  assert.ok(first);
  const sheet = (sure: boolean, over: Partial<View>): ReturnType<typeof part> => part((ui) => {
    ui.state.open.add(`delete ${first.fingerprint}`);
    if (sure) ui.state.open.add(`delete ${first.fingerprint} sure`);
    ui.state.uses = { of: first.fingerprint, all: used };
    return deleteSheet({ ...ui, arm: { ready: () => true } as unknown as Arm, change: (f) => f(ui.state), back: () => undefined, say: () => undefined });
  }, over);
  const asked = sheet(false, {});
  asked.press("Delete for good");
  assert.deepEqual(asked.calls, []);
  assert.match(asked.words, /^Delete Pixel 9\?/);
  assert.match(asked.words, /laptop loses it, and sees no other key/);
  assert.match(asked.words, /4 places in the log trust it still:root@server\.example\.comlast 24 November/);
  assert.match(asked.words, /the only key of this phone/);
  const more = sheet(true, { keys: [...full.keys, plainKey] });
  assert.doesNotMatch(more.words, /the only key/);
  more.press("Delete for good");
  assert.deepEqual(more.calls, [["deleteKey", first.fingerprint]]);
});
