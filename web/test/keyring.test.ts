// What the keyring takes, and what it refuses before anybody is asked.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Phone } from "../src/core.d.ts";
import type { Database } from "../src/idb.ts";
import type { Kept } from "../src/kept.ts";
import { Keyring } from "../src/keyring.ts";
import { freeName } from "../src/ui/settings.ts";
import { Refused } from "../src/wasm.ts";
import { fakePhone } from "./fakes.ts";

const kept = (fingerprint: string, name: string): Kept => ({ kind: "plain", name, fingerprint, publicKey: "AAAA", created: 0, type: "ssh-ed25519", key: {} as CryptoKey });

function house(...names: string[]) {
  const done: string[] = [];
  const core: Phone = { ...fakePhone(() => []), keyFits: (keys, name) => {
    done.push(`${keys.map((k) => k.name).join()} and ${name}?`);
    throw new Refused("no more fit");
  } };
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { credentials: { create: () => done.push("asked") } } });
  const db = { put: async () => void done.push("stored") } as unknown as Database;
  return { done, ring: new Keyring(core, db, async () => undefined, names.map((n) => kept(n, n))) };
}

test("a key that does not fit is refused before the prompt, and nothing is kept", async () => {
  for (const kind of ["plain", "wrapped", "passkey"] as const) {
    const { done, ring } = house("a", "b");
    await assert.rejects(ring.make(kind, " new\n", new AbortController().signal), /no more fit/);
    assert.deepEqual(done, ["a,b and new?"]);
    assert.equal(ring.keys().length, 2);
  }
});

test("a name that another key has is refused, the key's own is not another's", async () => {
  const { done, ring } = house("a", "b");
  await assert.rejects(ring.rename("a", "b"), /no more fit/);
  assert.deepEqual([done, ring.keys().map((k) => k.name)], [["b and b?"], ["a", "b"]]);
});

test("the name that is proposed is free, also after a deletion", () => {
  const keys = (...names: string[]) => freeName(names.map((name) => ({ name })));
  assert.deepEqual([keys("Pixel 9"), keys("Pixel 9", "Key 3"), keys("key 3", "Key 4")], ["Key 2", "Key 4", "Key 5"]);
});
