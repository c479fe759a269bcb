// Making a key.
import type { Phone } from "./core.d.ts";
import { fromBase64, toBase64 } from "./bytes.ts";
import type { Kept } from "./kept.ts";
import { newPair, sshPublic } from "./key.ts";
import * as passkey from "./passkey.ts";
import { newSalt, wrap } from "./wrap.ts";

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
