// One connection to a computer: two characteristics, docs/protocol.md 5.9.
import type { Bytes } from "../bytes.ts";
import { unless, within } from "../wait.ts";
import type { Characteristic, Device, Server } from "./gatt.ts";

const toComputer = "b27531e6-2f4a-4321-909c-3015e5869d77";
const toPhone = "9b84207a-2edc-41f1-817d-98f27c7679fe";
const connectLimit = 30_000; // ms; some systems never give up
const stepLimit = 15_000; // one operation after that

// A device does one operation at a time, whoever asks: "GATT operation already in
// progress". It is left when nobody uses it any more.
interface Use {
  users: number;
  turn: Promise<unknown>;
}
const uses = new WeakMap<Device, Use>();

export class Port {
  readonly #end = new AbortController();
  readonly #rx: Characteristic;
  readonly #tx: Characteristic;

  private constructor(private readonly device: Device, private readonly use: Use, rx: Characteristic, tx: Characteristic) {
    [this.#rx, this.#tx] = [rx, tx];
  }

  /** open connects, and subscribes to the service. heard gets each notification; lost is called at the end. */
  static async open(device: Device, uuid: string, heard: (segment: Bytes) => void, lost: () => void, signal: AbortSignal): Promise<Port> {
    const use = uses.get(device) ?? { users: 0, turn: Promise.resolve() };
    uses.set(device, use);
    use.users++;
    try {
      const port = await inTurn(use, async () => {
        const server = await connect(device, use, signal);
        const step = <T>(work: Promise<T>): Promise<T> => unless(within(stepLimit, signal), work);
        const there = await step(server.getPrimaryServices());
        const service = there.find((s) => s.uuid === uuid);
        if (!service) throw new Error("the computer has no Bluetooth service of this pairing now");
        const [rx, tx] = [await step(service.getCharacteristic(toComputer)), await step(service.getCharacteristic(toPhone))];
        const port = new Port(device, use, rx, tx);
        port.#listen(heard, lost);
        await step(tx.startNotifications()).catch((err: unknown) => {
          port.#end.abort();
          throw err;
        });
        return port;
      });
      return port;
    } catch (err) {
      leave(device, use);
      throw err;
    }
  }

  #listen(heard: (segment: Bytes) => void, lost: () => void): void {
    const { signal } = this.#end;
    this.#tx.addEventListener("characteristicvaluechanged", () => {
      const { value } = this.#tx;
      if (value) heard(new Uint8Array(value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength) as ArrayBuffer));
    }, { signal });
    this.device.addEventListener("gattserverdisconnected", lost, { signal });
  }

  /** write resolves when the computer has the segment. */
  write(segment: Bytes, signal: AbortSignal): Promise<void> {
    return inTurn(this.use, () => unless(within(stepLimit, signal), this.#rx.writeValueWithResponse(segment)));
  }

  close(): void {
    if (this.#end.signal.aborted) return;
    this.#end.abort();
    leave(this.device, this.use);
  }
}

function inTurn<T>(use: Use, work: () => Promise<T>): Promise<T> {
  const done = use.turn.then(work);
  use.turn = done.catch(() => undefined); // who asked gets the error
  return done;
}

function connect({ gatt }: Device, use: Use, signal: AbortSignal): Promise<Server> {
  if (!gatt) throw new Error("this device has no GATT");
  // Chromium goes on with it, whatever disconnect says meanwhile.
  return unless(within(connectLimit, signal), gatt.connect().finally(() => use.users === 0 && gatt.disconnect()));
}

function leave(device: Device, use: Use): void {
  if (--use.users === 0) device.gatt?.disconnect();
}
