// Passkeys by WebAuthn Level 3: made, asked for assertions, and for the secrets
// that their prf extension derives.
import { type Bytes, toBase64 } from "./bytes.ts";
import { unless } from "./wait.ts";

/** NoSecret says that the passkeys of this device derive no secrets: they cannot wrap a key. */
export class NoSecret extends Error {}

/** Made is a new passkey. spki is its public key, P-256 if that was asked for. */
export interface Made {
  id: Bytes;
  spki: Bytes;
}

/** Proof is what a passkey says to a challenge. secret is there if a salt was given. */
export interface Proof {
  authenticatorData: Bytes;
  clientDataJSON: Bytes;
  signature: Bytes;
  secret: Bytes | undefined;
}

const patience = 120_000; // ms, how long a prompt may stand
const es256 = -7;
const rs256 = -257; // what some Windows machines have instead

/** canMake is whether this device offers passkeys under its screen lock. */
export async function canMake(): Promise<boolean> {
  return typeof PublicKeyCredential === "function" && PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable();
}

/**
 * make makes a passkey, preferably on this device. With a salt it resolves
 * also to its secret, perhaps by a second prompt, or rejects with NoSecret.
 */
export async function make(name: string, salt: Bytes | undefined, signal: AbortSignal): Promise<Made & { secret: Bytes | undefined }> {
  const made = await prompt("make a passkey", signal, () => navigator.credentials.create({ signal, publicKey: {
    rp: { id: location.hostname, name: "Kryptonite" },
    user: { id: random(16), name, displayName: name },
    challenge: random(32), // nobody checks how it was made
    attestation: "none",
    timeout: patience,
    hints: ["client-device"],
    pubKeyCredParams: (salt ? [es256, rs256] : [es256]).map((alg) => ({ type: "public-key", alg })),
    authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
    extensions: salt ? { prf: { eval: { first: salt } } } : {},
  } as PublicKeyCredentialCreationOptions }));
  const id = new Uint8Array(made.rawId);
  const spki = (made.response as AuthenticatorAttestationResponse).getPublicKey();
  if (!spki) throw new Error("this passkey is of a type that the browser does not know");
  const result = { id, spki: new Uint8Array(spki) };
  if (!salt) return { ...result, secret: undefined };
  const { prf } = made.getClientExtensionResults();
  try {
    if (!prf?.enabled && !prf?.results) throw new NoSecret("the passkeys of this device cannot protect a key");
    const secret = prf.results ? copy(prf.results.first) : (await prove(id, random(32), salt, signal)).secret;
    return { ...result, secret };
  } catch (err) {
    const gone = await forget(id);
    if (!(err instanceof NoSecret) || gone) throw err;
    throw new NoSecret(`${err.message}; the passkey "${name}" that was just made is of no use: delete it in your password manager`);
  }
}

/** prove asks the passkey for an assertion over challenge, and for the secret of salt. */
export async function prove(id: Bytes, challenge: Bytes, salt: Bytes | undefined, signal: AbortSignal): Promise<Proof> {
  const got = await prompt("use the passkey", signal, () => navigator.credentials.get({ signal, publicKey: {
    challenge,
    rpId: location.hostname,
    allowCredentials: [{ type: "public-key", id }],
    userVerification: "required",
    timeout: patience,
    extensions: salt ? { prf: { eval: { first: salt } } } : {},
  } }));
  const response = got.response as AuthenticatorAssertionResponse;
  const secret = got.getClientExtensionResults().prf?.results?.first;
  if (salt && !secret) throw new NoSecret("the passkey gave no secret: this device or browser cannot use it to protect a key");
  return {
    authenticatorData: new Uint8Array(response.authenticatorData),
    clientDataJSON: new Uint8Array(response.clientDataJSON),
    signature: new Uint8Array(response.signature),
    secret: secret && copy(secret),
  };
}

/** forget tells the password manager that a passkey is of no use any more, and reports whether it could be told. */
export async function forget(id: Bytes): Promise<boolean> {
  const credentialId = toBase64(id).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const told = (PublicKeyCredential as { signalUnknownCredential?: (o: object) => Promise<void> }).signalUnknownCredential;
  if (!told) return false;
  return told.call(PublicKeyCredential, { rpId: location.hostname, credentialId }).then(() => true, () => false);
}

let last: Promise<unknown> = Promise.resolve(); // browsers show one prompt at a time

async function prompt(what: string, signal: AbortSignal, ask: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  const shown = last.then(async () => {
    signal.throwIfAborted();
    return unless(signal, ask()); // some browsers do not hear the signal
  });
  last = shown.catch(() => undefined);
  try {
    const got = await shown;
    if (got instanceof PublicKeyCredential) return got;
  } catch (err) {
    signal.throwIfAborted();
    throw explain(what, err);
  }
  throw new Error(`the browser did not ${what}`);
}

function explain(what: string, err: unknown): Error {
  const name = err instanceof DOMException ? err.name : "";
  const says: Record<string, string> = {
    NotAllowedError: `you did not confirm, or the time was over, or the passkey is not on this device: try again to ${what}`,
    InvalidStateError: "this device has this passkey already",
    NotSupportedError: "this device offers no passkeys that fit: set a screen lock, or keep the key without a passkey",
    ConstraintError: "this device cannot check who you are: set a screen lock, then try again",
    SecurityError: "passkeys do not work at this address: open the app by https and a domain name",
  };
  return new Error(says[name] ?? `the device could not ${what}${name ? ` (${name})` : ""}: try again`, { cause: err });
}

const random = (n: number): Bytes => crypto.getRandomValues(new Uint8Array(n));

const copy = (b: BufferSource): Bytes =>
  (ArrayBuffer.isView(b) ? new Uint8Array(b.buffer, b.byteOffset, b.byteLength) : new Uint8Array(b)).slice();
