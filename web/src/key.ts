// SSH keys by WebCrypto. Go writes their SSH formats.
import type { Base64, KeyType, Phone, SSHKey } from "./core.d.ts";
import { type Bytes, fromBase64, toBase64 } from "./bytes.ts";

/** A Signer holds SSH keys. sign is over exactly payload, in SSH wire format. */
export interface Signer {
  keys(): SSHKey[];
  sign(fingerprint: string, payload: Base64, signal: AbortSignal): Promise<Base64>;
}

const type: KeyType = "ssh-ed25519";

/** newPair makes a key that no script can read, unless it says extractable. */
export async function newPair(extractable = false): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey("Ed25519", extractable, ["sign", "verify"]);
}

/** rawPublic is the public half of a pair, 32 bytes. */
export async function rawPublic(key: CryptoKey): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.exportKey("raw", key));
}

/** webCryptoSigner signs with one Ed25519 key. */
export function webCryptoSigner(core: Phone, privateKey: CryptoKey, raw: Bytes, name: string): Signer {
  const pub = core.publicKey(type, toBase64(raw));
  return {
    keys: () => [{ publicKey: pub.blob, name }],
    sign: async (fingerprint, payload, signal) => {
      if (fingerprint !== pub.fingerprint) throw new Error("this phone has no such key");
      const sig = await crypto.subtle.sign("Ed25519", privateKey, fromBase64(payload));
      signal.throwIfAborted();
      return core.signature(type, toBase64(new Uint8Array(sig)));
    },
  };
}
