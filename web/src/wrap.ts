// Private keys wrapped under a secret: HKDF-SHA256 (RFC 5869), AES-256-GCM over
// PKCS #8, with the public key as additional data.
import type { KeyType } from "./core.d.ts";
import type { Bytes } from "./bytes.ts";
import { algorithm } from "./key.ts";

/** Wrapped is safe to keep: it says nothing without the secret. */
export interface Wrapped {
  salt: Bytes; // for the secret, and for HKDF
  iv: Bytes;
  blob: Bytes;
}

const info = new TextEncoder().encode("kryptonite wrapped key v1");

/** newSalt is fresh for each key, and so is the wrapping key that is made of it. */
export const newSalt = (): Bytes => crypto.getRandomValues(new Uint8Array(32));

/** wrap wraps an extractable key; secret is zero afterwards. */
export async function wrap(key: CryptoKey, publicKey: Bytes, secret: Bytes, salt: Bytes): Promise<Wrapped> {
  const under = await wrappingKey(secret, salt, "wrapKey");
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const blob = await crypto.subtle.wrapKey("pkcs8", key, under, { name: "AES-GCM", iv, additionalData: publicKey });
  return { salt, iv, blob: new Uint8Array(blob) };
}

/** unwrap opens what wrap made; secret is zero afterwards. No script can read the key, unless it is extractable. */
export async function unwrap(type: KeyType, { salt, iv, blob }: Wrapped, publicKey: Bytes, secret: Bytes, extractable = false): Promise<CryptoKey> {
  const under = await wrappingKey(secret, salt, "unwrapKey");
  try {
    return await crypto.subtle.unwrapKey("pkcs8", blob, under, { name: "AES-GCM", iv, additionalData: publicKey }, algorithm(type), extractable, ["sign"]);
  } catch (err) {
    throw new Error("the passkey does not open this key: was it replaced, or the app's storage damaged?", { cause: err });
  }
}

async function wrappingKey(secret: Bytes, salt: Bytes, use: "wrapKey" | "unwrapKey"): Promise<CryptoKey> {
  try {
    const base = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
    return await crypto.subtle.deriveKey({ name: "HKDF", hash: "SHA-256", salt, info }, base, { name: "AES-GCM", length: 256 }, false, [use]);
  } finally {
    secret.fill(0);
  }
}
