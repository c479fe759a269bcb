// A passkey without a browser, for tests: a P-256 key in clear in a file that
// answers as navigator.credentials.get does, with the person present.
import { join } from "node:path";
import type { Phone } from "../src/core.d.ts";
import { type Bytes, fromBase64, toBase64 } from "../src/bytes.ts";
import type { Signer } from "../src/key.ts";
import { keptOr } from "./files.ts";

const application = "phone.example";
const origin = "https://phone.example";
const presentAndVerified = 0x05; // [WebAuthn] §6.1

const curve = { name: "ECDSA", namedCurve: "P-256" } as const;

/** passkeySigner is a phone whose one key is a passkey. */
export async function passkeySigner(core: Phone, dir: string): Promise<Signer> {
  const kept = await keptOr(join(dir, "passkey.json"), async () => {
    const pair = await crypto.subtle.generateKey(curve, true, ["sign"]);
    const [pkcs8, spki] = await Promise.all([crypto.subtle.exportKey("pkcs8", pair.privateKey), crypto.subtle.exportKey("spki", pair.publicKey)]);
    return { pkcs8: toBase64(new Uint8Array(pkcs8)), spki: toBase64(new Uint8Array(spki)) };
  });
  const key = await crypto.subtle.importKey("pkcs8", fromBase64(kept.pkcs8), curve, false, ["sign"]);
  const pub = core.passkeyPublic(kept.spki, application);
  return {
    keys: () => [{ publicKey: pub.blob, name: "default" }],
    sign: async ({ fingerprint, payload }, signal) => {
      if (fingerprint !== pub.fingerprint) throw new Error("this phone has no such key");
      const a = await assert(key, fromBase64(payload));
      signal.throwIfAborted();
      return { signature: core.passkeySignature({ authenticatorData: toBase64(a.authenticatorData), clientDataJSON: toBase64(a.clientDataJSON), signature: toBase64(a.signature), origin }), wrapped: "" };
    },
  };
}

/** assert is get() for the challenge. */
async function assert(key: CryptoKey, challenge: Bytes): Promise<{ authenticatorData: Bytes; clientDataJSON: Bytes; signature: Bytes }> {
  const text = new TextEncoder();
  const clientDataJSON = text.encode(JSON.stringify({ type: "webauthn.get", challenge: base64url(challenge), origin, crossOrigin: false }));
  const authenticatorData = new Uint8Array(37); // a counter of 0, as synced passkeys have
  authenticatorData.set(await sha256(text.encode(application)));
  authenticatorData[32] = presentAndVerified;
  const signed = new Uint8Array([...authenticatorData, ...(await sha256(clientDataJSON))]);
  const raw = new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, signed));
  return { authenticatorData, clientDataJSON, signature: der(raw) };
}

async function sha256(b: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", b));
}

function base64url(b: Bytes): string {
  return toBase64(b).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** der writes r ‖ s, as WebCrypto makes it, as WebAuthn does: ECDSA-Sig-Value. */
function der(raw: Bytes): Bytes {
  const body = [...integer(raw.subarray(0, 32)), ...integer(raw.subarray(32))];
  return new Uint8Array([0x30, body.length, ...body]);
}

function integer(b: Uint8Array): number[] {
  let first = 0;
  while (first < b.length - 1 && b[first] === 0) first++;
  const digits = [...b.subarray(first)];
  if ((digits[0] ?? 0) >= 0x80) digits.unshift(0);
  return [0x02, digits.length, ...digits];
}
