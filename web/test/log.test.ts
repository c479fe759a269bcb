// The log as people look through it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { entry, years } from "../gallery/fakes.ts";
import { type Entry, entryOf, textOf } from "../src/entry.ts";
import { computersIn, covers, find, anything, week, whole } from "../src/ui/find.ts";

test("entries are read as the core writes them", () => {
  const all = { seq: 7, unix_seconds: 1_795_000_000, pairing: "p", computer: "Zoë’s laptop", request_id: "AAAAAAAAAAAAAAAAAAAAAA==", decision: "refused", reason: "why", key: "SHA256:k", user: "root", namespace: "git", host: "server", host_key: "SHA256:h", proof: "proved", program: "git push", rule: "r", payload_sha256: "AAAA", prev: "AAAA" };
  const stored = (e: object): string => Buffer.from(JSON.stringify(e)).toString("base64");
  assert.deepEqual(entryOf(stored(all)), { seq: 7, unix: 1_795_000_000_000, pairing: "p", computer: "Zoë’s laptop", request: "AAAAAAAAAAAAAAAAAAAAAA==", decision: "refused", reason: "why", key: "SHA256:k", user: "root", namespace: "git", host: "server", hostKey: "SHA256:h", proof: "proved", program: "git push", rule: "r" });
  const bare = entryOf(stored({ seq: 1, unix_seconds: 1, pairing: "", computer: "", request_id: "", decision: "damaged", key: "", payload_sha256: null, prev: "" }));
  assert.deepEqual([bare.user, bare.hostKey, bare.program, bare.decision], ["", "", "", "damaged"]);
  assert.equal(textOf(stored(all)), JSON.stringify(all));
  assert.throws(() => entryOf("AAAA"));
});

test("a full log is searched and narrowed at once", () => {
  const found = (text: string, more: object = {}): Entry[] => find(years, { ...anything, text, ...more });
  assert.equal(found("").length, 10_000);
  assert.ok(found("NODE-7.example").every((e) => e.host === "node-7.example.com"));
  assert.equal(found("node-7.example").length, 200);
  assert.deepEqual(found("git  node-7.").map((e) => [e.program, e.host]), found("node-7. git").map((e) => [e.program, e.host]));
  assert.equal(found("git node-7.").length, years.filter((e) => e.program === "git push" && e.host === "node-7.example.com").length);
  assert.equal(found("deploy@node-0").length, years.filter((e) => e.user === "deploy" && e.host.startsWith("node-0.")).length);
  assert.equal(found("build-server").length, found("", { computer: "p2" }).length);
  assert.ok(found("", { decision: "refused", computer: "p1" }).every((e) => e.decision === "refused" && e.pairing === "p1"));
  assert.deepEqual([found("no such").length, found("node-7. node-8.").length], [0, 0]);
  const begun = performance.now();
  for (let i = 0; i < 50; i++) found(`node-${i}. ssh`);
  const each = (performance.now() - begun) / 50;
  assert.ok(each < 500, `a search takes ${each} ms`); // some 5 ms; the test must not hang on a busy machine
});

test("newest entries go on in the history that was read", () => {
  const newest = years.slice(0, 200);
  assert.equal(covers(newest, null), false);
  assert.equal(covers(newest, years), true);
  assert.deepEqual(whole(newest, years), years);
  assert.equal(whole(newest, null), newest);
  const earlier = years.slice(150); // read before 150 more were decided
  assert.equal(covers(newest, earlier), true);
  assert.deepEqual(whole(newest, earlier), years);
  assert.equal(covers(newest, years.slice(200)), true);
  assert.equal(covers(newest, years.slice(201)), false);
  assert.equal(covers(newest.map((e) => ({ ...e, seq: e.seq - 300 })), years), false); // another log
  assert.equal(covers([{ ...entry, seq: 1 }], null), true);
  assert.equal(covers([], null), true);
});

test("a computer goes by its newest name", () => {
  const log = [{ ...entry, computer: "new" }, { ...entry, computer: "old" }, { ...entry, pairing: "", computer: "" }];
  assert.deepEqual([...computersIn(log)], [["p1", "new"]]);
});

test("the week counts days of this place, also where the clock was changed", () => {
  const now = new Date(2026, 9, 26, 0, 30).getTime(); // a week with 25 hours in a day, in much of Europe
  const at = (day: number, hour: number, decision: Entry["decision"] = "allowed"): Entry => ({ ...entry, unix: new Date(2026, 9, day, hour).getTime(), decision });
  const got = week([at(26, 0), at(25, 23), at(25, 0, "refused"), at(24, 23, "expired"), at(20, 0), at(19, 23), at(22, 5, "damaged")], now);
  assert.deepEqual(got.map((d) => [new Date(d.begins).getDate(), d.allowed, d.others]), [[20, 1, 0], [21, 0, 0], [22, 0, 0], [23, 0, 0], [24, 0, 1], [25, 1, 1], [26, 1, 0]]);
});
