// What notifications say.
import assert from "node:assert/strict";
import { test } from "node:test";
import { asks, refused } from "../src/notice.ts";
import { card, plain } from "./cards.ts";

test("a request says who wants in where, how that is known, and what asks", () => {
  const n = asks([card("a")]);
  assert.deepEqual([plain(n.title), plain(n.body)], ["root @ server.example", "laptop asks · Proved\ngit push in ~/shop"]);
  const unproved = asks([card("a", { known: "New", name: "", host: { proof: "unknown", keyType: "", fingerprint: "", cert: null, local: false, path: [] }, reported: { program: "", directory: "", host: "10.0.0.1", port: 2222, hostKeyAlias: false } })]);
  assert.deepEqual([plain(unproved.title), plain(unproved.body)], ["root @ [10.0.0.1]:2222", "laptop asks · Reported · first time · may be forwarded"]);
  assert.equal(plain(asks([card("a", { namespace: "git", name: "" })]).title), "Signature for git");
});

test("what comes from outside moves and hides nothing", () => {
  const { title } = asks([card("a", { user: "root\u202e@evil\u2069\n", name: "x".repeat(5000) })]);
  assert.ok(title.length < 200, title);
  assert.ok(!/[\u202e\n]/.test(title), title);
  assert.equal(title.split("\u2068").length, title.split("\u2069").length);
});

test("a refused host is said", () => {
  assert.equal(plain(refused({ type: "Alarm", card: card("a"), code: "host_key", reason: "" }).title), "Refused: root @ server.example");
});
