// Signatures that take no person: a worker can show no prompt.
import type { Phone, SSHKey } from "../src/core.d.ts";
import { alone, byAge, type Kept } from "../src/kept.ts";
import { type Made, signBy, type Signer, type ToSign } from "../src/key.ts";
import { Later } from "../src/signing.ts";

export class LoneSigner implements Signer {
  /** locked is told of what has to wait for the app. */
  constructor(private readonly core: Phone, private readonly kept: Kept[], private readonly locked: (what: ToSign) => void) {}

  keys(): SSHKey[] {
    return this.kept.sort(byAge).map(({ publicKey, name }) => ({ publicKey, name }));
  }

  /** alone is whether the keys of that name need nobody. */
  alone(name: string): boolean {
    return this.kept.every((k) => k.name !== name || k.kind === "plain");
  }

  async sign(what: ToSign): Promise<Made> {
    const kept = this.kept.find((k) => k.fingerprint === what.fingerprint);
    if (!kept) throw new Error("this phone has no such key");
    const key = kept.kind === "passkey" ? undefined : await alone(kept, what);
    if (kept.kind !== "passkey" && key) return { signature: await signBy(this.core, kept.type, key, what.payload), wrapped: "" };
    this.locked(what);
    throw new Later("the key is locked");
  }
}
