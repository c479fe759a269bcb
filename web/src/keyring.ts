// The SSH keys of this phone, as the browser can keep them.
import type { Base64, Millis } from "./core.d.ts";

/**
 * How a private key is kept:
 * wrapped: Ed25519, under the PRF secret of a passkey: nothing in clear on disk.
 * plain:   Ed25519 or P-256 that no script can read, but the browser's files hold: weaker.
 * passkey: the passkey itself, sk-ecdsa-sha2-nistp256@openssh.com.
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
