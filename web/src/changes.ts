// What people change: one event each, or a choice.
import type { Event, Pin, Use } from "./core.d.ts";
import type { Hint } from "./choices.ts";
import type { Kind } from "./kept.ts";
import type { Keyring } from "./keyring.ts";
import { NoSecret } from "./passkey.ts";
import { uses } from "./uses.ts";
import type { Ringing } from "./ringing.ts";
import type { Started } from "./start.ts";
import { NoPRF } from "./ui/view.ts";

export abstract class Changes {
  abstract readonly ringing: Ringing;
  protected abstract started(): Started<Keyring>;
  protected abstract post(event: Event): Promise<void>;

  async makeKey(kind: Kind, name: string): Promise<void> {
    const { keys } = this.started();
    try {
      await keys.make(kind, name, new AbortController().signal);
    } catch (err) {
      throw err instanceof NoSecret ? new NoPRF(err.message) : err;
    }
    await this.post({ type: "KeysChanged", keys: keys.keys() });
  }

  renameKey = async (fingerprint: string, name: string): Promise<void> => {
    const { keys } = this.started();
    await keys.rename(fingerprint, name);
    await this.post({ type: "KeysChanged", keys: keys.keys() });
  };

  /** deleteKey hides the key first: whatever a crash leaves, no computer sees it. */
  deleteKey = async (fingerprint: string): Promise<void> => {
    const { keys } = this.started();
    await this.post({ type: "KeysChanged", keys: keys.keys(fingerprint) });
    await keys.remove(fingerprint);
    await this.post({ type: "Tick" }); // a View without it
  };

  uses = async (fingerprint: string): Promise<Use[]> => {
    const { core, db } = this.started();
    return uses(core, db, fingerprint);
  };

  async rename(name: string): Promise<void> {
    await this.started().rename(name);
    await this.post({ type: "Renamed", name });
  }

  lock = (pairing: string, on: boolean): Promise<void> => this.post({ type: "Lock", pairing, on });
  nameComputer = (pairing: string, name: string): Promise<void> => this.post({ type: "NameComputer", pairing, name });
  unpair = (pairing: string): Promise<void> => this.post({ type: "Unpair", pairing });
  revoke = (rule: string): Promise<void> => this.post({ type: "Revoke", rule });
  forgetHost = ({ name, scope }: Pin): Promise<void> => this.post({ type: "ForgetHost", name, scope });
  trustHost = ({ name, scope, fingerprint }: Pin): Promise<void> => this.post({ type: "TrustHost", name, scope, fingerprint });
  forward = (pairing: string, ask: boolean): Promise<void> => this.post({ type: "Forward", pairing, ask });
  see = (pairing: string, fingerprint: string, allow: boolean): Promise<void> => this.post({ type: "AllowKey", pairing, fingerprint, allow });

  ring = (): Promise<void> => this.ringing.ring();
  setLockScreen = (lockScreen: boolean): Promise<void> => this.ringing.set({ lockScreen });
  setTellRules = (tellRules: boolean): Promise<void> => this.ringing.set({ tellRules });
  putOff = (hint: Hint): Promise<void> => this.ringing.set({ putOff: [...this.ringing.choices.putOff, hint] });
}
