// Keys that a rule opens while the app is closed, docs/protocol.md 4.11: sealed
// under a key of which the computer holds a half.
import type { Base64, KeyType } from "./core.d.ts";
import { type Bytes, fromBase64, toBase64 } from "./bytes.ts";
import { algorithm } from "./key.ts";

const ivSize = 12;

/** sealKey is nonce ‖ AES-256-GCM over PKCS #8, of an extractable key. */
export async function sealKey(key: CryptoKey, under: Base64, fingerprint: string): Promise<Base64> {
  const iv = crypto.getRandomValues(new Uint8Array(ivSize));
  const blob = await crypto.subtle.wrapKey("pkcs8", key, await aes(under, "wrapKey"), params(iv, fingerprint));
  return toBase64(new Uint8Array([...iv, ...new Uint8Array(blob)]));
}

/** openKey is the key, which no script can read, or undefined if it does not open. */
export async function openKey(type: KeyType, sealed: Base64, under: Base64, fingerprint: string): Promise<CryptoKey | undefined> {
  const all = fromBase64(sealed);
  try {
    return await crypto.subtle.unwrapKey("pkcs8", all.slice(ivSize), await aes(under, "unwrapKey"), params(all.slice(0, ivSize), fingerprint), algorithm(type), false, ["sign"]);
  } catch {
    return undefined;
  }
}

async function aes(under: Base64, use: "wrapKey" | "unwrapKey"): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", fromBase64(under), "AES-GCM", false, [use]);
}

const params = (iv: Bytes, fingerprint: string): AesGcmParams => ({ name: "AES-GCM", iv, additionalData: new TextEncoder().encode(fingerprint) });
