// Amazon SQS by fetch, without credentials: the phone's end of two queues,
// docs/protocol.md 5.7. As internal/transport/sqs/client.go does it.
import type { Base64, SQSAddress } from "./core.d.ts";
import { md5 } from "./md5.ts";
import { persist, post } from "./post.ts";
import { within } from "./wait.ts";

/** SQSError is SQS's word that it did not do what was asked. */
export class SQSError extends Error {
  constructor(readonly status: number, readonly code: string) {
    super(`SQS says ${status}${code && `, ${code}`}`);
  }

  /** passing is whether the same call may succeed soon. */
  get passing(): boolean {
    return this.status >= 500 || this.status === 429 || /Throttl|^OverLimit$/.test(this.code);
  }
}

const maxFrame = 65_536;
const maxAnswer = 8 << 20; // ten of the longest bodies, each character escaped
const batch = 10; // messages of one answer, and of one deletion
const pollGrace = 10_000; // ms, beyond what a poll waits

// call makes one request of the JSON protocol. It goes to the SQS of a region, wherever the address comes from.
async function call({ region, account }: SQSAddress, queue: string, operation: string, more: object, signal: AbortSignal): Promise<Record<string, unknown>> {
  const origin = `https://sqs.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`;
  const headers = { "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": `AmazonSQS.${operation}` };
  const { status, body } = await post(`${origin}/`, headers, JSON.stringify({ QueueUrl: `${origin}/${account}/${queue}`, ...more }), maxAnswer, signal);
  if (status !== 200) throw new SQSError(status, codeIn(body?.["__type"]));
  if (!body) throw new Error("the answer is not SQS's");
  return body;
}

// codeIn is a code as SQS gives it, without the namespace before "#"; its text has names of queues.
function codeIn(type: unknown): string {
  return (typeof type === "string" && /(?:^|#)([A-Za-z0-9.]{1,80})$/.exec(type)?.[1]) || "";
}

/** sendMessage puts a frame into the queue to the computer; it tries for 10 s. */
export function sendMessage(at: SQSAddress, frame: Base64, signal: AbortSignal): Promise<void> {
  return persist(async (limit) => {
    const said = await call(at, at.toComputer, "SendMessage", { MessageBody: frame }, limit);
    if (said["MD5OfMessageBody"] !== md5(frame)) throw new Error("SQS got another message than it was sent");
  }, (err) => !(err instanceof SQSError) || err.passing, signal);
}

interface Received {
  Body: string;
  MD5OfBody: string;
  ReceiptHandle: string;
}

/** receiveMessages takes up to ten messages, and waits for the first. One that does not fit its checksum is left out, and comes again. */
export async function receiveMessages(at: SQSAddress, seconds: number, signal: AbortSignal): Promise<Received[]> {
  const limit = within(seconds * 1000 + pollGrace, signal);
  const { Messages: all = [] } = await call(at, at.toPhone, "ReceiveMessage", { MaxNumberOfMessages: batch, WaitTimeSeconds: seconds }, limit);
  if (!Array.isArray(all) || all.length > batch || !all.every(isReceived)) throw new Error("the answer is not SQS's");
  return all.filter((m) => m.MD5OfBody === md5(m.Body));
}

function isReceived(m: unknown): m is Received {
  return typeof m === "object" && m !== null && ["Body", "MD5OfBody", "ReceiptHandle"].every((field) => typeof (m as Record<string, unknown>)[field] === "string");
}

/** deleteMessages deletes what was received, by its receipt handles. */
export async function deleteMessages(at: SQSAddress, handles: string[], signal: AbortSignal): Promise<void> {
  const Entries = handles.map((ReceiptHandle, i) => ({ Id: String(i), ReceiptHandle }));
  const { Failed: failed } = await call(at, at.toPhone, "DeleteMessageBatch", { Entries }, signal);
  if (Array.isArray(failed) && failed.length > 0) throw new SQSError(200, codeIn((failed[0] as { Code?: unknown } | null)?.Code));
}

/** isFrame is whether a body is a frame, in the one way to spell it. */
export function isFrame(body: string): boolean {
  try {
    const frame = atob(body);
    return frame.length > 0 && frame.length <= maxFrame && btoa(frame) === body;
  } catch {
    return false;
  }
}
