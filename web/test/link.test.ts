// The relay misbehaves; docs/protocol.md 5.3 and 5.5 say what a holder does.
import assert from "node:assert/strict";
import { test } from "node:test";
import { MailboxReader, postFrame, RelayError } from "../src/link.ts";
import { receive } from "../src/receive.ts";
import { fakePhone, fakeRelay, json, noSockets } from "./fakes.ts";

const origin = "https://r.example";
const mailbox = "AAECAwQFBgcICQoLDA0ODw==";
const live = new AbortController().signal;
noSockets(); // live.test.ts has them
const reader = (): MailboxReader => new MailboxReader(fakePhone(() => []), origin, "seed");

test("a frame is posted again with the same key until the relay has it", async () => {
  const asked = fakeRelay((_, n) => {
    if (n === 1) throw new TypeError("network");
    return json(n === 2 ? 503 : n === 3 ? 429 : 202, {});
  });
  await postFrame(origin, mailbox, "AAAA", live);
  assert.equal(asked.length, 4);
  assert.equal(new Set(asked.map((a) => a.key)).size, 1);
  assert.match(asked[0]?.key ?? "", /^[0-9a-f]{32}$/);
  assert.equal(asked[0]?.url, `${origin}/v1/mailboxes/000102030405060708090a0b0c0d0e0f/frames`);
});

test("what no try would change is not tried again", async () => {
  const asked = fakeRelay(() => json(404, { error: "no such mailbox" }));
  await assert.rejects(postFrame(origin, mailbox, "AAAA", live), /404: no such mailbox/);
  assert.equal(asked.length, 1);
});

test("a signal ends the tries", async () => {
  fakeRelay(() => json(503, {}));
  await assert.rejects(postFrame(origin, mailbox, "AAAA", AbortSignal.timeout(20)), { name: "TimeoutError" });
});

test("each nonce proves one poll", async () => {
  const asked = fakeRelay((_, n) => (n === 1 ? json(401, { error: "prove it", nonce: "n1" }) : json(200, { nonce: `n${n}` })));
  const box = reader();
  await box.open(live);
  await box.open(live);
  assert.deepEqual(asked.map((a) => a.body["signature"]), [undefined, `proof of n1 for ${origin}`, `proof of n2 for ${origin}`]);
});

test("a nonce that may have been used is not used again", async () => {
  const asked = fakeRelay((_, n) => {
    if (n === 2) throw new TypeError("network");
    return json(200, { nonce: `n${n}` });
  });
  const box = reader();
  await box.open(live);
  await assert.rejects(box.open(live), /network/);
  await box.open(live);
  assert.deepEqual(asked.map((a) => a.body["nonce"]), [undefined, "n1", undefined]);
});

test("a relay that takes none of its nonces is given up", async () => {
  const asked = fakeRelay((_, n) => json(401, { error: "no", nonce: `n${n}` }));
  await assert.rejects(reader().open(live), /none of the nonces/);
  assert.equal(asked.length, 3);
});

test("who does not speak as a relay says nothing about the mailbox", async () => {
  for (const body of ["<html>login</html>", "[1]", '{"frames":[{"seq":1}]}', '{"nonce":7}', "null"]) {
    fakeRelay(() => new Response(body, { status: 200 }));
    await assert.rejects(reader().open(live), RelayError, body);
  }
});

test("a deleted mailbox says so, or is not deleted", async () => {
  fakeRelay(() => json(200, {}));
  await assert.rejects(reader().remove(live), /did not say/);
});

test("frames are acknowledged after they were taken; others come again later", async () => {
  const end = new AbortController();
  let takes = false;
  const asked = fakeRelay(({ body }, n) => {
    if (n === 1) return json(200, { frames: [{ seq: "s1", frame: "good" }, { seq: "s2", frame: "bad" }] });
    if (n === 2) return json(503, {}); // the acknowledgement is not lost
    if (body["after"] === "//////////8=") return json(200, {});
    if (body["after"] === "s2") return json(200, {});
    takes = true;
    return json(200, { frames: [{ seq: "s2", frame: "bad" }] });
  });
  const taken: string[] = [];
  const ups: boolean[] = [];
  await receive(reader(), async (frame) => {
    if (frame === "bad" && !takes) throw new Error("not now");
    taken.push(frame);
    if (takes) end.abort(new Error("enough"));
  }, end.signal, () => undefined, (up) => ups.push(up));
  assert.deepEqual(taken, ["good", "bad"]);
  assert.deepEqual([...ups].sort(), [false, ...Array<boolean>(ups.length - 1).fill(true)]); // it was down once
  assert.deepEqual([asked[1], asked[2]].map((a) => a?.body["ack"]), [["s1"], ["s1"]]);
  assert.equal(asked[1]?.body["after"], "s2");
  const last = asked.at(-1)?.body; // the farewell
  assert.deepEqual([last?.["ack"], last?.["after"]], [["s2"], "//////////8="]);
});

test("a deleted mailbox is not received any more", async () => {
  fakeRelay(() => json(410, { error: "deleted" }));
  await receive(reader(), async () => undefined, live, () => undefined, () => undefined);
});
