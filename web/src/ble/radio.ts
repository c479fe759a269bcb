// Bluetooth as a page has it, docs/protocol.md 5.9: a program of its own, that is
// fetched once the phone is at work.
import { type Bytes, fromBase64, toBase64, toHex } from "../bytes.ts";
import type { Base64, Computer } from "../core.d.ts";
import type { Channel } from "../ears.ts";
import { bluetooth as t } from "../text/bluetooth.en.ts";
import type { Air } from "../ui/view.ts";
import { bluetooth, type Device } from "./gatt.ts";
import { Link } from "./link.ts";

export interface Around {
  services(pairing: string): string[]; // UUIDs that its computer may have
  computer(pairing: string): Computer | undefined;
  heard(pairing: string, frame: Base64): Promise<void>; // rejects what must come again
  came(pairing: string): void; // its computer is connected
  changed(): void;
  note(err: unknown): void;
}

export class Radio {
  readonly #services = new Map<string, string>(); // that are listened to, and their pairings
  readonly #devices = new Map<string, Device>(); // by pairing, as people have chosen
  readonly #links = new Map<string, Link>(); // by service
  readonly #runs = new Map<string, Promise<unknown>>(); // by service: until its last link has ended
  readonly #said = new Map<string, string>(); // what became of the last tap
  #on = true; // as far as is known

  /** signal ends when the phone does not work any more. */
  constructor(private readonly around: Around, private readonly signal: AbortSignal) {
    const radio = bluetooth();
    if (!radio) return;
    const look = (): void => void radio.getAvailability().then((on) => {
      if (this.#on === on) return;
      this.#on = on;
      around.changed();
    }, around.note);
    look();
    radio.addEventListener("availabilitychanged", look, { signal });
  }

  /** tap connects to the computer of a pairing, or ends that: call it in a tap, as the browser lets people choose then. */
  async tap(pairing: string): Promise<void> {
    const { around, signal } = this;
    this.#said.delete(pairing);
    if (this.#devices.delete(pairing)) {
      for (const [service, of] of this.#services) if (of === pairing) this.#leave(service);
      return around.changed();
    }
    try {
      const device = await choose(around.services(pairing));
      signal.throwIfAborted();
      this.#devices.set(pairing, device);
      for (const [service, of] of this.#services) if (of === pairing) this.#begin(service, pairing, device);
    } catch (err) {
      this.#said.set(pairing, await reason(err));
    }
    around.changed();
  }

  /** listen is for a service of a pairing, until close: as soon as a person has chosen the computer. */
  listen(service: string, pairing: string): void {
    this.#services.set(service, pairing);
    const device = this.#devices.get(pairing);
    if (device && !this.#links.has(service)) this.#begin(service, pairing, device);
  }

  close(service: string): void {
    const pairing = this.#services.get(service) ?? "";
    this.#services.delete(service);
    this.#links.get(service)?.part();
    if (![...this.#services.values()].includes(pairing)) this.#devices.delete(pairing);
  }

  #begin(service: string, pairing: string, device: Device): void {
    const { around } = this;
    const heard = (frame: Bytes): Promise<void> => around.heard(pairing, toBase64(frame));
    const changed = (): void => {
      if (link.up) around.came(pairing);
      around.changed();
    };
    const link = new Link(device, uuid(service), { heard, changed, note: around.note }, this.signal);
    this.#links.set(service, link);
    // Two at a service would be one central for the computer: the farewell of one would end both.
    this.#runs.set(service, Promise.resolve(this.#runs.get(service)).then(() => link.run()).catch(around.note).then(() => {
      if (this.#links.get(service) !== link) return;
      this.#links.delete(service);
      this.#runs.delete(service);
    }));
  }

  #leave(service: string): void {
    this.#links.get(service)?.leave();
  }

  /** send resolves when the computer has the frame; undefined if nobody has chosen it. */
  send(service: string, frame: Base64, signal: AbortSignal): Promise<void> | undefined {
    return this.#links.get(service)?.send(fromBase64(frame), signal);
  }

  /** channels are those of a pairing by Bluetooth. */
  channels(pairing: string): Channel[] {
    return this.#devices.has(pairing) ? [{ kind: "bluetooth", name: t.nearby, up: this.#up(pairing) }] : [];
  }

  #up(pairing: string): boolean {
    return [...this.#services].some(([service, of]) => of === pairing && this.#links.get(service)?.up);
  }

  /** air says how it stands with a pairing, "" is one that does not exist yet; nothing if neither side has Bluetooth. */
  air(pairing: string): Air | undefined {
    const computer = this.around.computer(pairing);
    const used = pairing === "" || computer?.bluetooth === true;
    if (!bluetooth()) {
      const apple = "standalone" in navigator && navigator.maxTouchPoints > 0;
      return used ? { can: false, on: false, says: t.none(isSecureContext, apple), tap: "" } : undefined;
    }
    if (!used) return { can: true, on: false, says: t.unused, tap: "" };
    if (this.#devices.has(pairing)) return { can: true, on: true, says: this.#up(pairing) ? t.up : t.down, tap: t.end };
    const idle = !this.#on ? t.off : computer?.live === false ? t.pairing : t.idle;
    return { can: true, on: false, says: this.#said.get(pairing) ?? idle, tap: t.connect };
  }
}

// uuid is a UUID as browsers write it.
function uuid(service: Base64): string {
  return toHex(fromBase64(service)).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

async function choose(services: string[]): Promise<Device> {
  const radio = bluetooth();
  if (!radio) throw new Error("this browser has no Bluetooth");
  return radio.requestDevice({ filters: services.map((uuid) => ({ services: [uuid] })) });
}

// reason is for people: why there is no device. Browsers tell by the text alone.
async function reason(err: unknown): Promise<string> {
  const { name = "", message = "" } = err as Partial<Error>;
  if (!(await bluetooth()?.getAvailability().catch(() => true))) return t.off;
  if (/gesture/i.test(message)) return t.late; // it took too long from the tap to here
  if (/disabled|policy/i.test(message)) return t.disabled;
  if (/denied|permission/i.test(message) || name === "NotAllowedError") return t.denied;
  if (name === "NotFoundError" || name === "AbortError") return t.nothing;
  return t.failed(message);
}
