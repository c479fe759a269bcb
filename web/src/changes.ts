// What people change: one event each, or a choice.
import type { Event, Pin } from "./core.d.ts";
import type { Hint } from "./choices.ts";
import type { Kind } from "./kept.ts";
import type { Keyring } from "./keyring.ts";
import { NoSecret } from "./passkey.ts";
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

  async rename(name: string): Promise<void> {
    await this.started().rename(name);
    await this.post({ type: "Renamed", name });
  }

  unpair = (pairing: string): Promise<void> => this.post({ type: "Unpair", pairing });
  revoke = (rule: string): Promise<void> => this.post({ type: "Revoke", rule });
  forgetHost = ({ name, scope }: Pin): Promise<void> => this.post({ type: "ForgetHost", name, scope });
  trustHost = ({ name, scope }: Pin): Promise<void> => this.post({ type: "TrustHost", name, scope });
  forward = (pairing: string, ask: boolean): Promise<void> => this.post({ type: "Forward", pairing, ask });
  see = (pairing: string, fingerprint: string, allow: boolean): Promise<void> => this.post({ type: "AllowKey", pairing, fingerprint, allow });

  ring = (): Promise<void> => this.ringing.ring();
  setLockScreen = (lockScreen: boolean): Promise<void> => this.ringing.set({ lockScreen });
  setTellRules = (tellRules: boolean): Promise<void> => this.ringing.set({ tellRules });
  putOff = (hint: Hint): Promise<void> => this.ringing.set({ putOff: [...this.ringing.choices.putOff, hint] });
}
