// Making a key, and what is kept of it.
import type { Base64, KeyType, Millis, Phone } from "./core.d.ts";
import { type Bytes, fromBase64, toBase64 } from "./bytes.ts";
import { newPair, sshPublic } from "./key.ts";
import * as passkey from "./passkey.ts";
import { newSalt, wrap, type Wrapped } from "./wrap.ts";

/**
 * How a private key is kept:
 * wrapped: Ed25519, under the PRF secret of a passkey: nothing in clear on disk.
 * plain:   Ed25519 that no script can read, but the browser's files hold: weaker.
 * passkey: the passkey itself, sk-ecdsa-sha2-nistp256@openssh.com.
 * Browsers without Ed25519 get P-256 instead.
 */
export type Kind = "wrapped" | "plain" | "passkey";

/** A Key is what people may know of a key. */
export interface Key {
  kind: Kind;
  name: string;
  publicKey: Base64; // SSH wire format
  fingerprint: string;
  line: string; // for authorized_keys
  created: Millis;
}

/** Kept is a key in the database's table "keys". */
export type Kept = Omit<Key, "line" | "kind"> & (
  | { kind: "wrapped"; type: KeyType; credential: Bytes; wrapped: Wrapped }
  | { kind: "plain"; type: KeyType; key: CryptoKey }
  | { kind: "passkey"; credential: Bytes; application: string });

export async function newPlain(core: Phone, name: string): Promise<Kept> {
  const pair = await newPair();
  const { blob: publicKey, fingerprint } = await sshPublic(core, pair);
  return { kind: "plain", name, publicKey, fingerprint, created: Date.now(), type: pair.type, key: pair.keys.privateKey };
}

/** newWithPasskey makes a passkey first; if no key comes of it, it is forgotten again. */
export async function newWithPasskey(core: Phone, kind: "wrapped" | "passkey", name: string, signal: AbortSignal): Promise<Kept> {
  const salt = kind === "wrapped" ? newSalt() : undefined;
  const { id: credential, spki, secret } = await passkey.make(name, salt, signal);
  const kept = { name, created: Date.now(), credential };
  try {
    if (!salt || !secret) {
      const application = location.hostname;
      const { blob: publicKey, fingerprint } = core.passkeyPublic(toBase64(spki), application);
      return { ...kept, kind: "passkey", publicKey, fingerprint, application };
    }
    const pair = await newPair(true);
    const { blob: publicKey, fingerprint } = await sshPublic(core, pair);
    const wrapped = await wrap(pair.keys.privateKey, fromBase64(publicKey), secret, salt);
    return { ...kept, kind: "wrapped", publicKey, fingerprint, type: pair.type, wrapped };
  } catch (err) {
    await passkey.forget(credential);
    throw err;
  }
}
