// The keys of this phone as they are kept, and their use without a person.
import type { Base64, KeyType, Millis } from "./core.d.ts";
import type { Bytes } from "./bytes.ts";
import { openKey } from "./closed.ts";
import type { ToSign } from "./key.ts";
import type { Wrapped } from "./wrap.ts";

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

/** byAge sorts keys, the oldest first. */
export const byAge = (a: Kept, b: Kept): number => a.created - b.created;

/** alone is the key to sign with, if that takes no person: a plain one, or one that a rule opens. */
export async function alone(kept: Exclude<Kept, { kind: "passkey" }>, what: ToSign): Promise<CryptoKey | undefined> {
  if (kept.kind === "plain") return kept.key;
  return what.unwrap ? openKey(kept.type, what.wrapped, what.unwrap, what.fingerprint) : undefined;
}
