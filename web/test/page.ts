// A page for e2e/platform_test.go, which drives it: the platform without the app.
import "wasm_exec";
import type { Assertion, Phone } from "../src/core.d.ts";
import { fromBase64, toBase64 } from "../src/bytes.ts";
import { Database } from "../src/idb.ts";
import type { ToSign } from "../src/key.ts";
import type { Kept } from "../src/kept.ts";
import { Keyring } from "../src/keyring.ts";
import { MailboxReader, postFrame } from "../src/link.ts";
import { Turn } from "../src/locks.ts";
import * as passkey from "../src/passkey.ts";
import { receive } from "../src/receive.ts";
import { idbStore } from "../src/records.ts";
import { load } from "../src/wasm.ts";

const live = new AbortController().signal;

// What Go makes of passkeys is tested there; here the page hands out what it would get.
const asItIs = (core: Phone): Phone => ({
  ...core,
  passkeyPublic: (spki) => ({ blob: spki, fingerprint: `passkey ${spki}` }),
  passkeySignature: (a: Assertion) => btoa(JSON.stringify(a)),
  authorizedKey: (blob, comment) => (blob.length > 120 ? `passkey ${comment}` : core.authorizedKey(blob, comment)),
});

async function core(): Promise<Phone> {
  return asItIs(await load(await WebAssembly.compileStreaming(fetch("/phone.wasm")), live));
}

// Questions that wait for a tap, by request.
const asked = new Map<string, { yes(): void; no(): void; signal: AbortSignal }>();
const ask = (what: ToSign, signal: AbortSignal): Promise<void> => new Promise((yes, reject) => {
  const gone = (): void => void asked.delete(what.request);
  asked.set(what.request, { signal, yes: () => (gone(), yes()), no: () => (gone(), reject(new Error("not continued"))) });
  signal.addEventListener("abort", () => (gone(), reject(signal.reason)), { once: true });
});

/** outcome is what a promise comes to, as text: for tests of failures. */
const outcome = (work: Promise<unknown>): Promise<string> => work.then(
  (v) => `ok ${String(v)}`,
  (err: Error) => `${err.constructor.name}: ${err.message}`,
);

// What wrapKey is given, for the test to search for: it stays in memory here.
const wrapped: string[] = [];
const wrapKey = crypto.subtle.wrapKey.bind(crypto.subtle);
crypto.subtle.wrapKey = async (format, key, under, how) => {
  wrapped.push(toBase64(new Uint8Array(await crypto.subtle.exportKey("pkcs8", key))));
  return wrapKey(format, key, under, how);
};

/** beThePhone keeps in state what this tab is; a stubborn one does not hear that it should let go. */
function beThePhone(stubborn: boolean): Turn {
  const turn = new Turn();
  const is = (state: string): void => void Object.assign(globalThis, { state });
  const work = async (signal: AbortSignal): Promise<void> => {
    const db = await Database.open(live);
    const store = idbStore(db);
    const loaded = await store.load(live);
    Object.assign(globalThis, { loaded, late: () => outcome(store.commit([{ key: "late", value: "AAAA" }], live)) });
    is("phone");
    await new Promise<void>((resolve, reject) => {
      Object.assign(globalThis, { die: () => reject(new Error("dead")), finish: resolve });
      if (!stubborn) signal.addEventListener("abort", () => resolve(), { once: true });
    });
    const asked = signal.aborted && String(signal.reason).includes("wanted in another tab");
    if (asked) await store.commit([{ key: "last words", value: "AAAA" }], live); // still allowed: nobody has taken over
    is("let go");
    db.close();
  };
  turn.run(work, () => is("busy"), live).then(() => is("done"), (err: Error) => is(`failed: ${err.message}`));
  return turn;
}

/** mail receives a mailbox; reject names a frame that is not taken. */
async function mail(origin: string, seed: string): Promise<object> {
  const box = new MailboxReader(await core(), origin, seed);
  await box.open(live);
  const end = new AbortController();
  const state = { taken: [] as string[], notes: [] as string[], reject: "", end, box, done: Promise.resolve() };
  state.done = receive(box, async (frame) => {
    const text = atob(frame);
    if (text === state.reject) throw new Error(`${text} is rejected`);
    state.taken.push(text);
  }, end.signal, (err) => state.notes.push(String(err)), () => undefined);
  return state;
}

const ring = async (): Promise<Keyring> => {
  const db = await Database.open(live);
  return new Keyring(await core(), db, ask, (await db.all("keys")) as Kept[]);
};
const sign = async (keys: Keyring, what: ToSign, signal: AbortSignal): Promise<string> => (await keys.sign(what, signal)).signature;
const toSign = (fingerprint: string, request: string, text: string): ToSign => ({ pairing: "p", request, fingerprint, payload: btoa(text), expires: Date.now() + 60_000, card: {} as ToSign["card"], rule: "", wrap: "", renew: false, unwrap: "", wrapped: "" });

Object.assign(globalThis, { kr: { Database, Keyring, asked, beThePhone, core, fromBase64, idbStore, live, mail, outcome, passkey, postFrame, ring, sign, toSign, wrapped } });
