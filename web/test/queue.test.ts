// Receiving from Amazon SQS: who stores first and deletes then, and is patient.
import { wake } from "./wake.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Listen } from "../src/core.d.ts";
import { type Channel, Ears } from "../src/ears.ts";
import { md5 } from "../src/md5.ts";
import { receiveQueue } from "../src/queue.ts";
import { type Asked, fakePhone, fakeRelay, json } from "./fakes.ts";

const at = { region: "eu-central-1", account: "123456789012", toComputer: "in", toPhone: "out" };
const op = ({ headers }: Asked): string => headers["x-amz-target"]?.slice("AmazonSQS.".length) ?? "";
const nothing = new Promise<never>(() => undefined);
const seconds = (a: Asked): unknown => a.body["WaitTimeSeconds"];

/** house receives; polls answers the nth poll with bodies. It ends when handle has taken n frames. */
function house(n: number, polls: (n: number) => string[] | Response | Promise<Response>, handle: (frame: string) => void = () => undefined, deletion = (): Response => json(200, { Successful: [] })) {
  const end = new AbortController();
  const [taken, notes, ups, deleted]: [string[], unknown[], boolean[], unknown[]] = [[], [], [], []];
  let polled = 0;
  const asked = fakeRelay((a) => {
    if (op(a) === "DeleteMessageBatch") {
      deleted.push(...(a.body["Entries"] as { ReceiptHandle: string }[]).map((e) => e.ReceiptHandle));
      return deletion();
    }
    assert.equal(op(a), "ReceiveMessage");
    const answer = polls(++polled);
    return Array.isArray(answer) ? json(200, { Messages: answer.map((Body) => ({ Body, MD5OfBody: md5(Body), ReceiptHandle: Body, MessageId: "m" })) }) : answer;
  });
  const receiving = receiveQueue(at, () => 20, async (frame) => {
    handle(frame);
    taken.push(frame);
    if (taken.length === n) end.abort(new Error("enough"));
  }, end.signal, (err) => notes.push(err), (up) => ups.push(up));
  return { end, taken, notes, ups, deleted, asked, receiving };
}

test("what was taken is deleted, what is no frame too; what was rejected comes again", async () => {
  let rejected = 0;
  const h = house(3, (n) => (n === 1 ? ["AAAA", "junk!", "BBBB"] : n === 2 ? ["BBBB", "CCCC", "DDDD"] : nothing), (frame) => {
    if (frame === "BBBB" && rejected++ === 0) throw new Error("the disk is full");
  });
  await h.receiving;
  assert.deepEqual(h.taken, ["AAAA", "BBBB", "CCCC"]);
  // The one that ended it is deleted, the one after it is not.
  assert.deepEqual(h.deleted, ["AAAA", "junk!", "BBBB", "CCCC"]);
  assert.deepEqual(h.asked.filter((a) => op(a) === "ReceiveMessage").map(seconds), [0, 20]);
  assert.deepEqual([h.ups, h.notes.length], [[true, true], 2]);
});

test("the last deletion is made although the receiving has ended", async () => {
  const h = house(1, () => ["AAAA"]);
  await h.receiving;
  assert.deepEqual(h.deleted, ["AAAA"]);
  assert.equal(h.asked.at(-1)?.init.signal?.aborted, false);
});

test("what fails is said, and tried again after a pause; then it asks for an answer at once", async () => {
  const strange = ["<html>log in</html>", '{"Messages":[{}]}', "[]"];
  const h = house(1, (n) => {
    if (n === 1) return ["AAAA"];
    return n === 2 ? json(403, { __type: "AccessDenied" }) : new Response(strange[n % strange.length]);
  }, (frame) => {
    if (frame === "AAAA") throw new Error("not now");
  });
  const begun = Date.now();
  while (h.ups.filter((up) => !up).length < 3) await new Promise(setImmediate);
  h.end.abort(new Error("enough"));
  await h.receiving;
  assert.ok(Date.now() - begun > 500, "it was in haste");
  assert.deepEqual([h.ups, h.taken], [[true, false, false, false], []]);
  assert.deepEqual(h.asked.map(seconds), [0, 20, 0, 0]);
  assert.match(String(h.notes[1]), /403, AccessDenied/);
});

test("who answers at once that there is nothing is not asked in haste", async () => {
  const h = house(1, () => []);
  await new Promise((resolve) => setTimeout(resolve, 600));
  h.end.abort(new Error("enough"));
  await h.receiving;
  assert.ok(h.asked.length >= 3 && h.asked.length <= 4, `${h.asked.length} polls`);
});

test("a deletion that fails is a failure, and the message comes again", async () => {
  const h = house(2, () => ["AAAA"], () => undefined, () => json(500, {}));
  await h.receiving;
  assert.deepEqual([h.taken, h.ups, h.deleted.length], [["AAAA", "AAAA"], [true, false, true], 2]);
  assert.match(String(h.notes[0]), /500/);
});

test("a page that comes back asks beside a poll that may be dead, until that is over", async () => {
  let answer: (r: Response) => void = () => undefined;
  const h = house(9, (n) => (n === 2 ? new Promise<Response>((resolve) => (answer = resolve)) : n === 3 ? ["AAAA"] : n < 5 ? [] : nothing));
  while (h.asked.length < 2) await new Promise(setImmediate);
  wake();
  wake();
  while (h.deleted.length < 1) await new Promise(setImmediate);
  assert.deepEqual(h.asked.map(seconds), [0, 20, 0, undefined]); // the last one deletes
  assert.equal(h.asked[1]?.init.signal?.aborted, false); // at SQS it may get the next message
  while (h.asked.length < 5) await new Promise(setImmediate); // a second later
  answer(json(200, { Messages: [{ Body: "BBBB", MD5OfBody: md5("BBBB"), ReceiptHandle: "r" }] }));
  while (h.asked.length < 7) await new Promise(setImmediate);
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  assert.deepEqual(h.asked.map(seconds), [0, 20, 0, undefined, 0, undefined, 20]);
  h.end.abort(new Error("enough"));
  await h.receiving;
  wake();
  assert.deepEqual([h.asked.length, h.taken], [7, ["AAAA", "BBBB"]]);
});

const listen = (n: number): Listen => ({ type: "Listen", pairing: `p${n % 2}`, origin: "", seed: "", new: false, sqs: { ...at, toPhone: `out${n}` }, bluetooth: null });

/** ears listen at SQS, where nothing comes. */
function ears() {
  const end = new AbortController();
  const waits: unknown[] = [];
  let changes = 0;
  const asked = fakeRelay((a) => (seconds(a) === 0 ? json(200, {}) : (waits.push(seconds(a)), nothing)));
  const all = new Ears({ core: fakePhone(() => []), heard: async () => undefined, changed: () => changes++, log: () => undefined }, end.signal);
  return { all, asked, waits, end, changes: () => changes };
}

test("four queues may wait long: of the browser's six connections two are for what is sent", async () => {
  for (const [queues, wait] of [[4, 20], [5, 2]] as const) {
    const h = ears();
    for (let n = 0; n < queues; n++) await h.all.listen(listen(n));
    while (h.waits.length < queues) await new Promise(setImmediate);
    assert.deepEqual(h.waits, Array(queues).fill(wait));
    h.end.abort();
    await h.all.ended();
  }
});

test("a queue is listened to once, is a channel of its pairing, and is left without a word", async () => {
  const h = ears();
  const channel = (up: boolean): Channel[] => [{ kind: "sqs", name: "eu-central-1", up }];
  for (const n of [1, 1, 3]) await h.all.listen(listen(n)); // where they meet, and the pairing's own
  assert.deepEqual(h.all.channels("p1"), channel(false));
  while (h.waits.length < 2) await new Promise(setImmediate);
  assert.deepEqual([h.all.channels("p1"), h.all.channels("p0"), h.changes()], [channel(true), [], 2]);
  for (const n of [1, 3]) await h.all.close({ ...listen(n), type: "Close" });
  await h.all.ended();
  assert.deepEqual([h.all.channels("p1"), h.asked.length], [[], 4]);
});
