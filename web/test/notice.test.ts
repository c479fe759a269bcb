// What notifications say.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Card, Code } from "../src/core.d.ts";
import { asks, ended, refused } from "../src/notice.ts";
import { card, plain } from "./cards.ts";

test("a request says who wants in where, how that is known, and what asks", () => {
  const n = asks([card("a")], true);
  assert.deepEqual([plain(n.title), plain(n.body)], ["root @ server.example", "laptop asks · Proved\nlaptop says: git push in ~/shop"]);
  const unproved = asks([card("a", { known: "New", name: "", hostName: "[10.0.0.1]:2222", host: { proof: "unknown", keyType: "", fingerprint: "", cert: null, local: false, path: [] }, reported: { program: "", directory: "", remote: "", branch: "", host: "10.0.0.1", port: 2222, hostKeyAlias: false } })], true);
  assert.deepEqual([plain(unproved.title), plain(unproved.body)], ["root @ [10.0.0.1]:2222", "laptop asks · Reported · may be forwarded"]);
  assert.equal(plain(asks([card("a", { namespace: "git", name: "" })], true).title), "Signature for git");
});

test("what comes from outside moves and hides nothing", () => {
  const { title } = asks([card("a", { user: "root\u202e@evil\u2069\n", hostName: "x".repeat(5000) })], true);
  assert.ok(title.length < 200, title);
  assert.ok(!/[\u202e\n]/.test(title), title);
  assert.equal(title.split("\u2068").length, title.split("\u2069").length);
});

test("a refused host is said", () => {
  assert.equal(plain(refused({ type: "Alarm", card: card("a"), code: "host_key", reason: "" }).title), "Refused: root @ server.example");
});

test("a name that was never seen is not called proved", () => {
  assert.equal(plain(asks([card("a", { known: "New" })], true).body).split("\n")[0], "laptop asks · host key never seen here");
  const renamed = asks([card("a", { known: "New", knownAs: ["prod.example"], hostName: "prod.example", called: "git.example" })], true);
  assert.deepEqual([plain(renamed.title), plain(renamed.body).split("\n")[0]], ["root @ prod.example", "laptop asks · Proved · calls it git.example"]);
});

test("Reject is always there, Allow where it may and the host is known, neither for several", () => {
  assert.deepEqual(asks([card("a")], true).buttons, ["reject", "allow"]);
  assert.deepEqual(asks([card("a")], false).buttons, ["reject"]);
  assert.deepEqual(asks([card("a"), card("b")], true).buttons, []);
  for (const odd of [{ known: "New" }, { namespace: "git" }, { host: { ...card("").host, local: false } }, { host: { ...card("").host, proof: "bound" } }] as Partial<Card>[]) {
    assert.deepEqual(asks([card("a", odd)], true).buttons, ["reject"], JSON.stringify(odd));
  }
});

test("how a request ended is said", () => {
  const title = (why: Code): string => plain(ended(card("a"), why).title).split(":")[0] ?? "";
  assert.deepEqual([title(""), title("rejected"), title("cancelled"), title("expired"), title("refused")], ["Allowed", "Rejected", "Ended there", "Too late", "Not signed"]);
});
