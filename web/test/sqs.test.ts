// Amazon SQS as a browser asks it; docs/protocol.md 5.7.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { SQSAddress } from "../src/core.d.ts";
import { md5 } from "../src/md5.ts";
import { Runner } from "../src/runner.ts";
import { deleteMessages, isFrame, receiveMessages, sendMessage, SQSError } from "../src/sqs.ts";
import { fakePhone, fakeRelay, fakeSigner, json } from "./fakes.ts";

const at: SQSAddress = { region: "eu-central-1", account: "123456789012", toComputer: "kr-in", toPhone: "kr-out" };
const live = new AbortController().signal;
const node = (text: string): string => createHash("md5").update(text).digest("hex");
const stored = (body: unknown): Response => json(200, { MD5OfMessageBody: node(String(body)), MessageId: "m" });
const says = (status: number, code: string): Response => json(status, { __type: `com.amazonaws.sqs#${code}`, message: "kr-in is at fault" });

test("MD5 is what others say it is", () => {
  for (let n = 0; n < 200; n++) assert.equal(md5("x".repeat(n)), node("x".repeat(n)));
  for (const text of ["A".repeat(87_384), "ü\u2028😀", "Zm9v".repeat(1_000)]) assert.equal(md5(text), node(text));
});

test("a send is one plain request to the SQS of the region", async () => {
  for (const [region, host] of [["eu-central-1", "https://sqs.eu-central-1.amazonaws.com"], ["cn-north-1", "https://sqs.cn-north-1.amazonaws.com.cn"]] as const) {
    const asked = fakeRelay(({ body }) => stored(body["MessageBody"]));
    await sendMessage({ ...at, region }, "AAAA", live);
    assert.equal(asked.length, 1);
    assert.equal(asked[0]?.url, `${host}/`);
    // What a preflight has to name, and no more: no credentials, no signature.
    assert.deepEqual(asked[0]?.headers, { "content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.SendMessage" });
    assert.deepEqual(asked[0]?.body, { QueueUrl: `${host}/123456789012/kr-in`, MessageBody: "AAAA" });
    assert.deepEqual([asked[0]?.init.method, asked[0]?.init.credentials, asked[0]?.init.redirect], ["POST", "omit", "error"]);
  }
});

test("what may pass is tried again", async () => {
  const asked = fakeRelay(({ body }, n) => {
    switch (n) {
      case 1: throw new TypeError("network");
      case 2: return json(200, { MD5OfMessageBody: node("another"), MessageId: "m" });
      case 3: return says(503, "ServiceUnavailable");
      case 4: return says(400, "RequestThrottled");
      case 5: return new Response("<html>log in</html>");
      default: return stored(body["MessageBody"]);
    }
  });
  await sendMessage(at, "AAAA", live);
  assert.equal(asked.length, 6);
});

test("what no try would change is not tried again, and nothing secret is said", async () => {
  for (const [status, code] of [[403, "AccessDeniedException"], [400, "QueueDoesNotExist"], [400, "\u001b[2J"], [400, "x".repeat(1_000)], [404, "a#b#InvalidAddress"]] as const) {
    const asked = fakeRelay(() => says(status, code));
    await assert.rejects(sendMessage(at, "AAAA", live), (err: unknown) => {
      assert.ok(err instanceof SQSError && err.status === status);
      assert.match(err.message, /^SQS says \d+(, [A-Za-z.]{1,80})?$/);
      return true;
    });
    assert.equal(asked.length, 1, code);
  }
});

test("a signal ends the tries", async () => {
  fakeRelay(() => says(500, "InternalFailure"));
  await assert.rejects(sendMessage(at, "AAAA", AbortSignal.timeout(20)), { name: "TimeoutError" });
});

test("a frame goes by each channel that is known, and a dead one holds up nothing", async () => {
  const asked = fakeRelay(({ url, body }) => (url.startsWith("https://r.example/") ? json(404, {}) : stored(body["MessageBody"])));
  const events: string[] = [];
  const to = [{ relay: { origin: "https://r.example", mailbox: "AAAA" }, sqs: null, bluetooth: null }, { relay: null, sqs: null, bluetooth: null }, { relay: null, sqs: at, bluetooth: null }];
  const end = new AbortController();
  const runner = new Runner({
    core: fakePhone(({ type }) => (events.push(type), type === "Unpair" ? [{ type: "Send", pairing: "p", to, frame: "AAAA", farewell: true }] : [])),
    store: { load: async () => ({}), commit: async () => undefined }, signer: fakeSigner(() => "sig"), show: () => undefined, log: () => undefined,
  }, end.signal);
  const running = runner.run();
  await runner.post({ type: "Unpair", pairing: "p" });
  await runner.posted();
  assert.deepEqual(asked.map((a) => new URL(a.url).host), ["r.example", "sqs.eu-central-1.amazonaws.com"]);
  assert.deepEqual(events, ["Start", "Unpair", "Told"]);
  end.abort();
  await running;
});

const message = (body: string, more: object = {}): object => ({ MessageId: "m", Body: body, MD5OfBody: node(body), ReceiptHandle: `handle of ${body}`, ...more });

test("who does not speak as SQS brings nothing", async () => {
  const long = { Messages: Array.from({ length: 11 }, () => message("AAAA")) };
  for (const answer of ["<html>", "[]", "null", '"x"', '{"Messages":null}', '{"Messages":{}}', '{"Messages":[null]}', '{"Messages":[[]]}', '{"Messages":[{"Body":"AAAA"}]}',
    JSON.stringify({ Messages: [message("AAAA", { ReceiptHandle: 7 })] }), JSON.stringify({ Messages: [message("AAAA", { Body: ["AAAA"] })] }), JSON.stringify(long)]) {
    fakeRelay(() => new Response(answer));
    await assert.rejects(receiveMessages(at, 0, live), /not SQS's/, answer);
  }
});

test("an answer without end is given up, and not kept", async () => {
  let sent = 0;
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (c) => (sent++, c.enqueue(new Uint8Array(1 << 20))),
    cancel: () => void (cancelled = true),
  });
  fakeRelay(() => new Response(endless));
  await assert.rejects(receiveMessages(at, 0, live), /too long/);
  assert.ok(cancelled && sent < 12, `${sent} MiB`);
});

test("what does not fit its checksum is left where it is", async () => {
  const asked = fakeRelay(() => json(200, { Messages: [message("AAAA"), message("BBBB", { MD5OfBody: node("CCCC") })] }));
  assert.deepEqual((await receiveMessages(at, 20, live)).map((m) => m.Body), ["AAAA"]);
  assert.deepEqual(asked[0]?.body, { QueueUrl: "https://sqs.eu-central-1.amazonaws.com/123456789012/kr-out", MaxNumberOfMessages: 10, WaitTimeSeconds: 20 });
  fakeRelay(() => json(200, {}));
  assert.deepEqual(await receiveMessages(at, 0, live), []);
});

test("what was not deleted is a failure", async () => {
  const asked = fakeRelay(() => json(200, { Successful: [{ Id: "0" }], Failed: [{ Id: "1", Code: "ReceiptHandleIsInvalid", SenderFault: true }] }));
  await assert.rejects(deleteMessages(at, ["a", "b"], live), /ReceiptHandleIsInvalid/);
  assert.deepEqual(asked[0]?.body["Entries"], [{ Id: "0", ReceiptHandle: "a" }, { Id: "1", ReceiptHandle: "b" }]);
  fakeRelay(() => json(200, { Failed: [null] }));
  await assert.rejects(deleteMessages(at, ["a"], live), SQSError);
});

test("a frame has one spelling", () => {
  assert.deepEqual(["", "====", "AAA", "AAAA\n", " AAAA", "Z29vZB==", "AA-_", "\u2028", "A".repeat(87_384)].filter(isFrame), []);
  assert.ok(["AA==", "AAAA", Buffer.alloc(65_536).toString("base64")].every(isFrame));
});
