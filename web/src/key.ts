// SSH keys by WebCrypto. Go writes their SSH formats.
import type { Base64, KeyType, Phone, PublicKey, Sign, SSHKey } from "./core.d.ts";
import { type Bytes, fromBase64, toBase64 } from "./bytes.ts";

/** What is to be signed: exactly the payload, for a request of a pairing. */
export type ToSign = Omit<Sign, "type">;

/** Made is a signature in SSH wire format, and the key under what.wrap, or "". */
export interface Made {
  signature: Base64;
  wrapped: Base64;
}

/** A Signer holds SSH keys. The errors of sign are for people. */
export interface Signer {
  keys(): SSHKey[];
  sign(what: ToSign, signal: AbortSignal): Promise<Made>;
}

/** A Pair is a key pair and what SSH calls its type. */
export interface Pair {
  type: KeyType;
  keys: CryptoKeyPair;
}

const ed25519 = "Ed25519";
const p256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** algorithm is WebCrypto's name for a type. */
export const algorithm = (type: KeyType): typeof p256 | typeof ed25519 => (type === "ssh-ed25519" ? ed25519 : p256);

/** newPair makes an Ed25519 key, or P-256 where the browser has no other. No script can read it, unless it is extractable. */
export async function newPair(extractable = false): Promise<Pair> {
  try {
    return { type: "ssh-ed25519", keys: await crypto.subtle.generateKey(ed25519, extractable, ["sign", "verify"]) };
  } catch (err) {
    if (!(err instanceof DOMException && (err.name === "NotSupportedError" || err.name === "SyntaxError"))) throw err;
    return { type: "ecdsa-sha2-nistp256", keys: await crypto.subtle.generateKey(p256, extractable, ["sign", "verify"]) };
  }
}

/** rawPublic is the public half: 32 bytes, or for P-256 65. */
export async function rawPublic(key: CryptoKey): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.exportKey("raw", key));
}

/** sshPublic is the public half as SSH writes it. */
export async function sshPublic(core: Phone, { type, keys }: Pair): Promise<PublicKey> {
  return core.publicKey(type, toBase64(await rawPublic(keys.publicKey)));
}

/** signBy signs payload, in SSH wire format. */
export async function signBy(core: Phone, type: KeyType, key: CryptoKey, payload: Base64): Promise<Base64> {
  const sig = await crypto.subtle.sign(algorithm(type), key, fromBase64(payload));
  return core.signature(type, toBase64(new Uint8Array(sig)));
}
