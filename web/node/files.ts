// A store and a key in files: for tests, which start a phone again.
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import type { Base64, KeyType, Phone } from "../src/core.d.ts";
import { fromBase64, toBase64 } from "../src/bytes.ts";
import { algorithm, newPair, rawPublic, signBy, type Signer } from "../src/key.ts";
import type { Store } from "../src/store.ts";

async function replace(path: string, text: string): Promise<void> {
  const file = await open(path + ".new", "w", 0o600);
  await file.writeFile(text);
  await file.sync();
  await file.close();
  await rename(path + ".new", path);
}

async function read<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as T;
  } catch (err) {
    if (err instanceof Error && "code" in err && err.code === "ENOENT") return undefined;
    throw err;
  }
}

/** fileStore keeps all records in one file, written anew for each commit. */
export async function fileStore(dir: string): Promise<Store> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, "records.json");
  const kept = new Map(Object.entries((await read<Record<string, Base64>>(path)) ?? {}));
  return {
    load: async () => Object.fromEntries(kept),
    commit: async (changes) => {
      for (const c of changes) {
        if (c.value === null) kept.delete(c.key);
        else kept.set(c.key, c.value);
      }
      await replace(path, JSON.stringify(Object.fromEntries(kept)));
    },
  };
}

interface Kept {
  type: KeyType;
  pkcs8: Base64;
  raw: Base64;
}

/** keptOr is what the file holds; it is made and written when there is none. */
export async function keptOr<T>(path: string, make: () => Promise<T>): Promise<T> {
  const kept = await read<T>(path);
  if (kept !== undefined) return kept;
  const made = await make();
  await replace(path, JSON.stringify(made));
  return made;
}

/** fileSigner is a key in clear in a file: Node has nowhere else to put one. */
export async function fileSigner(core: Phone, dir: string): Promise<Signer> {
  const { type, raw, pkcs8 } = await keptOr<Kept>(join(dir, "key.json"), async () => {
    const { type, keys } = await newPair(true);
    const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
    return { type, pkcs8: toBase64(pkcs8), raw: toBase64(await rawPublic(keys.publicKey)) };
  });
  const key = await crypto.subtle.importKey("pkcs8", fromBase64(pkcs8), algorithm(type), false, ["sign"]);
  const pub = core.publicKey(type, raw);
  return {
    keys: () => [{ publicKey: pub.blob, name: "default" }],
    sign: async ({ fingerprint, payload }) => {
      if (fingerprint !== pub.fingerprint) throw new Error("this phone has no such key");
      return { signature: await signBy(core, type, key, payload), wrapped: "" };
    },
  };
}
