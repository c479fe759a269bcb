// Bluetooth, by a program that is fetched once the phone is at work: it is no part
// of the first download.
import type { Radio } from "./ble/radio.ts";
import type { Base64, Computer } from "./core.d.ts";
import type { Channel, Nearby } from "./ears.ts";
import type { Air as Shown } from "./ui/view.ts";
import { onWake } from "./wait.ts";
import type { Started } from "./start.ts";

export class Air implements Nearby {
  #radio: Radio | undefined;
  readonly #services = new Map<string, string>(); // that are listened to, and their pairings

  constructor(private readonly around: { came(pairing: string): void; changed(): void; note(err: unknown): void }) {}

  /** begin is called when the phone works, until signal ends. */
  begin({ core, runner }: Pick<Started<never>, "core" | "runner">, signal: AbortSignal): void {
    const { came, changed, note } = this.around;
    const load = async (): Promise<void> => {
      const { Radio } = (await import(BLUETOOTH)) as typeof import("./ble/radio.ts");
      if (this.#radio || signal.aborted) return;
      const heard = (pairing: string, data: Base64): Promise<void> => runner.post({ type: "Frame", pairing, data });
      const computer = (pairing: string): Computer | undefined => core.computers().find((c) => c.pairing === pairing);
      this.#radio = new Radio({ services: (pairing) => core.bluetooth(pairing), computer, heard, came, changed, note }, signal);
      for (const [service, pairing] of this.#services) this.#radio.listen(service, pairing);
      changed();
    };
    signal.addEventListener("abort", () => {
      this.#radio = undefined;
      this.#services.clear();
    }, { once: true });
    load().catch((err: unknown) => {
      note(err);
      onWake(() => void load().catch(note), signal);
    });
  }

  /** meet lets people choose the computer of a pairing, in a tap, unless they have. */
  meet = async (pairing: string): Promise<void> => (this.channels(pairing).length > 0 ? undefined : this.tap(pairing));
  tap = async (pairing: string): Promise<void> => this.#radio?.tap(pairing);
  send = (service: string, frame: Base64, signal: AbortSignal): Promise<void> | undefined => this.#radio?.send(service, frame, signal);
  channels = (pairing: string): Channel[] => this.#radio?.channels(pairing) ?? [];
  listen(service: string, pairing: string): void {
    this.#services.set(service, pairing);
    this.#radio?.listen(service, pairing);
  }

  close(service: string): void {
    this.#services.delete(service);
    this.#radio?.close(service);
  }

  show(pairings: string[]): Record<string, Shown> {
    const all: Record<string, Shown> = {};
    for (const p of pairings) {
      const air = this.#radio?.air(p);
      if (air) all[p] = air;
    }
    return all;
  }
}
