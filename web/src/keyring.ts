// The SSH keys of this phone, as the browser can keep them.
import type { Base64, Millis, Phone, SSHKey } from "./core.d.ts";
import { fromBase64, toBase64 } from "./bytes.ts";
import { sealKey } from "./closed.ts";
import type { Database } from "./idb.ts";
import { alone, byAge, type Kept, type Key, type Kind } from "./kept.ts";
import { type Made, signBy, type Signer, type ToSign } from "./key.ts";
import { newPlain, newWithPasskey } from "./newkey.ts";
import * as passkey from "./passkey.ts";
import { persist } from "./place.ts";
import { type Ask, Unlocked } from "./unlocked.ts";
import { unwrap } from "./wrap.ts";

const tapCounts = 5_000; // ms, as long as browsers let a tap open a prompt

export class Keyring implements Signer {
  readonly #kept: Map<string, Kept>;
  readonly #tapped = new Map<string, Millis>(); // requests that were just allowed
  readonly #closed = new Map<string, Base64>(); // keys that a rule wants wrapped, by request
  readonly #unlocked: Unlocked;

  /** kept are the keys of db. ask is asked before a prompt that no tap has led to. */
  constructor(readonly core: Phone, readonly db: Database, readonly ask: Ask, kept: Kept[]) {
    this.#kept = new Map(kept.sort(byAge).map((k) => [k.fingerprint, k]));
    this.#unlocked = new Unlocked(ask, (what, signal) => this.#unwrap(what, signal));
  }

  /** list is all keys, the oldest first. */
  list(): Key[] {
    return [...this.#kept.values()].map(({ kind, name, publicKey, fingerprint, created }) =>
      ({ kind, name, publicKey, fingerprint, created, line: this.core.authorizedKey(publicKey, name) }));
  }

  /** keys is what computers may see, but for one. */
  keys(without = ""): SSHKey[] {
    return [...this.#kept.values()].filter((k) => k.fingerprint !== without).map(({ publicKey, name }) => ({ publicKey, name }));
  }

  /** make makes a key and keeps it, durably, if it fits. It rejects with passkey.NoSecret where passkeys cannot wrap. */
  async make(kind: Kind, wanted: string, signal: AbortSignal): Promise<Key> {
    const name = clean(wanted);
    this.core.keyFits(this.keys(), name); // before anybody is asked
    const kept = kind === "plain" ? await newPlain(this.core, name) : await newWithPasskey(this.core, kind, name, signal);
    try {
      await this.#put(kept);
    } catch (err) {
      if (kept.kind !== "plain") await passkey.forget(kept.credential);
      throw err;
    }
    await persist().catch(() => false);
    return this.list().find((k) => k.fingerprint === kept.fingerprint) as Key;
  }

  async rename(fingerprint: string, wanted: string): Promise<void> {
    const name = clean(wanted);
    this.core.keyFits(this.keys(fingerprint), name);
    await this.#put({ ...this.#key(fingerprint), name });
  }

  /** remove loses a key for ever, and its passkey where the device can be told; servers that know only this key are lost, too. */
  async remove(fingerprint: string): Promise<void> {
    const kept = this.#key(fingerprint);
    await this.db.change(["keys"], (t) => void t("keys").delete(fingerprint));
    this.#kept.delete(fingerprint);
    this.#unlocked.keep(fingerprint, 0);
    if (kept.kind !== "plain") await passkey.forget(kept.credential);
  }

  /** allowed says that a person is just tapping Allow for a request: its prompt may come at once. */
  allowed(what: { pairing: string; request: Base64 }): void {
    for (const [id, at] of this.#tapped) if (Date.now() - at > tapCounts) this.#tapped.delete(id);
    this.#tapped.set(idOf(what), Date.now());
  }

  async sign(what: ToSign, signal: AbortSignal): Promise<Made> {
    try {
      return { signature: await this.#sign(what, signal), wrapped: this.#closed.get(idOf(what)) ?? "" };
    } finally {
      this.#closed.delete(idOf(what));
    }
  }

  async #sign(what: ToSign, signal: AbortSignal): Promise<Base64> {
    const kept = this.#key(what.fingerprint);
    const tapped = this.#tapped.delete(idOf(what)) && (navigator.userActivation?.isActive ?? true);
    if (kept.kind !== "passkey") {
      const key = (await alone(kept, what)) ?? (await this.#open(what, tapped, signal));
      return signBy(this.core, kept.type, key, what.payload);
    }
    if (kept.application !== location.hostname) throw new Error(`this passkey works only at ${kept.application}`);
    if (!tapped) await this.ask(what, signal);
    const { authenticatorData, clientDataJSON, signature } = await passkey.prove(kept.credential, fromBase64(what.payload), undefined, signal);
    const [a, c, s] = [authenticatorData, clientDataJSON, signature].map(toBase64) as [Base64, Base64, Base64];
    return this.core.passkeySignature({ authenticatorData: a, clientDataJSON: c, signature: s, origin: location.origin });
  }

  /** keep keeps a wrapped key open until then, once it is; 0 closes it. For the latest rule that uses it. */
  keep = (fingerprint: string, until: Millis): void => this.#unlocked.keep(fingerprint, until);

  /** locked is whether the next signature needs a tap. */
  locked = (fingerprint: string): boolean => this.#kept.get(fingerprint)?.kind !== "plain" && !this.#unlocked.has(fingerprint);

  /** lock closes all keys. */
  lock = (): void => this.#unlocked.lock();

  #key(fingerprint: string): Kept {
    const kept = this.#kept.get(fingerprint);
    if (!kept) throw new Error("this phone has no such key");
    return kept;
  }

  async #put(kept: Kept): Promise<void> {
    await this.db.put("keys", kept.fingerprint, kept);
    this.#kept.set(kept.fingerprint, kept);
  }

  // A rule may want the key wrapped, for which it is opened anew.
  async #open(what: ToSign, tapped: boolean, signal: AbortSignal): Promise<CryptoKey> {
    if (!what.wrap || what.renew) return this.#unlocked.use(what, tapped, signal);
    if (!tapped) await this.ask(what, signal);
    return this.#unlocked.anew(what, signal);
  }

  // A passkey says yes to these bytes, and its secret opens the key.
  async #unwrap(what: ToSign, signal: AbortSignal): Promise<CryptoKey> {
    const { fingerprint, payload } = what;
    const kept = this.#key(fingerprint);
    if (kept.kind !== "wrapped") throw new Error("this key is not wrapped");
    const challenge = new Uint8Array(await crypto.subtle.digest("SHA-256", fromBase64(payload)));
    const { secret } = await passkey.prove(kept.credential, challenge, kept.wrapped.salt, signal);
    if (!secret) throw new passkey.NoSecret("the passkey gave no secret");
    const publicKey = fromBase64(kept.publicKey);
    if (what.wrap) {
      const readable = await unwrap(kept.type, kept.wrapped, publicKey, secret.slice(), true);
      this.#closed.set(idOf(what), await sealKey(readable, what.wrap, fingerprint));
    }
    return unwrap(kept.type, kept.wrapped, publicKey, secret);
  }
}

const idOf = ({ pairing, request }: { pairing: string; request: Base64 }): string => `${pairing} ${request}`;

const clean = (name: string): string => Array.from(name.replace(/[\s\p{C}]+/gu, " ").trim()).slice(0, 64).join("") || "default";
