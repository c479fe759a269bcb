// Subscribing to pushes, with browsers of all kinds.
import assert from "node:assert/strict";
import { test } from "node:test";
import { toBase64 } from "../src/bytes.ts";
import { subscribe } from "../src/push.ts";

const key = (n: number): string => toBase64(new Uint8Array(65).fill(n));

class Subscription {
  gone = false;
  constructor(readonly options: { applicationServerKey: ArrayBuffer }, readonly endpoint: string) {}
  getKey = (name: string): ArrayBuffer => new Uint8Array(name === "auth" ? 16 : 65).buffer;
  unsubscribe = async (): Promise<boolean> => (this.gone = true);
}

// browser keeps one subscription, as browsers do, and refuses another key beside it.
function browser(permission: PermissionState, subscribe?: () => Promise<never>) {
  let n = 0;
  const made: Subscription[] = [];
  const now = (): Subscription | undefined => made.findLast((s) => !s.gone);
  const manager = {
    permissionState: async () => permission,
    getSubscription: async () => now() ?? null,
    subscribe: subscribe ?? (async ({ applicationServerKey }: { applicationServerKey: Uint8Array<ArrayBuffer> }) => {
      if (now()) throw new DOMException("another key", "InvalidStateError");
      made.push(new Subscription({ applicationServerKey: applicationServerKey.slice().buffer }, `https://push.example/${++n}`));
      return now();
    }),
  } as unknown as PushManager;
  return { manager, made };
}
const never = new AbortController().signal;

test("one key, one subscription; another key, another one", async () => {
  const { manager, made } = browser("granted");
  const first = await subscribe(manager, key(1), never);
  assert.deepEqual([first.vapid, first.endpoint, first.p256dh.length, first.auth.length], [key(1), "https://push.example/1", 88, 24]);
  assert.deepEqual(await subscribe(manager, key(1), never), first);
  assert.equal((await subscribe(manager, key(2), never)).endpoint, "https://push.example/2");
  assert.deepEqual(made.map((s) => s.gone), [true, false]);
  assert.equal((await subscribe(manager, "", never)).endpoint, "");
  assert.ok(made.every((s) => s.gone), "no computer, no subscription");
});

test("without permission there is none", async () => {
  for (const p of ["denied", "prompt"] as const) assert.equal((await subscribe(browser(p).manager, key(1), never)).endpoint, "");
});

test("a service that fails is named, one that never answers is given up", async (t) => {
  await assert.rejects(subscribe(browser("granted", () => Promise.reject(new DOMException("no network", "AbortError"))).manager, key(1), never), /push service refuses \(no network\)/);
  const limit = new AbortController();
  t.mock.method(AbortSignal, "timeout", () => limit.signal);
  const asked = subscribe(browser("granted", () => new Promise(() => undefined)).manager, key(1), never);
  limit.abort(new DOMException("time", "TimeoutError"));
  await assert.rejects(asked, /does not answer/);
});
