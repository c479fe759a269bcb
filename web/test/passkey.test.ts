// What passkey prompts say when they fail, in a browser that the test plays.
import assert from "node:assert/strict";
import { test } from "node:test";
import { prove } from "../src/passkey.ts";

class PublicKeyCredential {
  response = { authenticatorData: new ArrayBuffer(1), clientDataJSON: new ArrayBuffer(2), signature: new ArrayBuffer(3) };
  constructor(readonly results: object) {}
  getClientExtensionResults = (): object => this.results;
}

/** browser answers prompts. */
function browser(get: (o: CredentialRequestOptions) => Promise<unknown>): void {
  Object.assign(globalThis, { PublicKeyCredential, location: { hostname: "app.example" } });
  Object.defineProperty(globalThis, "navigator", { value: { credentials: { get } }, configurable: true });
}

const live = new AbortController().signal;
const bytes = new Uint8Array(4);

test("why a prompt failed is said to people, with what to do", async () => {
  for (const [name, says] of [
    ["NotAllowedError", /you did not confirm.*try again/],
    ["SecurityError", /open the app by https/],
    ["NotSupportedError", /screen lock/],
    ["ConstraintError", /screen lock/],
    ["UnknownError", /could not use the passkey \(UnknownError\): try again/],
  ] as const) {
    browser(() => Promise.reject(new DOMException("see https://www.w3.org/", name)));
    await assert.rejects(prove(bytes, bytes, undefined, live), says);
  }
});

test("a prompt that hears no signal does not hold up the next one", async () => {
  let shown = 0;
  browser(() => (++shown === 1 ? new Promise(() => undefined) : Promise.resolve(new PublicKeyCredential({}))));
  const first = new AbortController();
  const one = prove(bytes, bytes, undefined, first.signal);
  const two = prove(bytes, bytes, undefined, live);
  await new Promise(setImmediate);
  assert.equal(shown, 1); // one at a time
  first.abort(new Error("withdrawn"));
  await assert.rejects(one, /withdrawn/);
  assert.equal((await two).signature.length, 3);
});

test("a secret is asked for with the salt, or missed", async () => {
  let asked: CredentialRequestOptions | undefined;
  const secret = new Uint8Array([9, 8, 7]);
  browser(async (o) => (asked = o, new PublicKeyCredential({ prf: { results: { first: secret.buffer } } })));
  assert.deepEqual((await prove(bytes, bytes, new Uint8Array([1]), live)).secret, secret);
  assert.deepEqual(asked?.publicKey?.extensions, { prf: { eval: { first: new Uint8Array([1]) } } });
  assert.deepEqual([asked?.publicKey?.rpId, asked?.publicKey?.userVerification], ["app.example", "required"]);
  browser(async () => new PublicKeyCredential({ prf: {} }));
  await assert.rejects(prove(bytes, bytes, new Uint8Array([1]), live), /gave no secret/);
});
