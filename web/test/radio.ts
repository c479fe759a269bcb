// A browser's Bluetooth and a computer's end of it, as strict as browsers are.
import type { Bytes } from "../src/bytes.ts";
import { Conn, type Event } from "../src/ble/conn.ts";
import type { Bluetooth, Characteristic, Device, Server, Service } from "../src/ble/gatt.ts";

const fail = (name: string, text: string): never => {
  throw new DOMException(text, name);
};

/** A Peripheral is a computer nearby. It has one service, and its own end of the connection there is. */
export class Peripheral extends EventTarget implements Device {
  conn: Conn | undefined;
  readonly heard: Bytes[] = [];
  readonly events: Event[] = [];
  readonly sizes: number[] = []; // of what was written
  readonly asked: string[] = []; // operations
  near = true;
  connected = false;
  longest = 244; // bytes of one write or notification: the MTU less 3
  mute = false; // takes writes, and says nothing
  slow: Promise<void> | undefined; // until then it connects
  #busy = false;
  #starts = 1;
  #tx: (EventTarget & { value?: DataView }) | undefined;

  constructor(readonly services: string[]) {
    super();
  }

  readonly gatt: Server = ((at: Peripheral): Server => ({
    get connected() { return at.connected; },
    async connect() {
      await at.operation("connect", false);
      await at.slow;
      if (!at.near) fail("NetworkError", "Connection attempt failed.");
      at.connected = true;
      return at.gatt;
    },
    disconnect: () => at.lose(),
    async getPrimaryServices() {
      await at.operation("discover");
      return at.services.length > 0 ? at.services.map((uuid) => at.#service(uuid)) : fail("NotFoundError", "No Services found in device.");
    },
  }))(this);

  /** operation is one of GATT's: one at a time. */
  async operation(name: string, needs = true): Promise<void> {
    this.asked.push(name);
    if (needs && !this.connected) fail("NetworkError", "GATT Server is disconnected. Cannot perform GATT operations.");
    if (this.#busy) fail("NetworkError", "GATT operation already in progress.");
    this.#busy = true;
    await Promise.resolve();
    await Promise.resolve();
    this.#busy = false;
    if (needs && !this.connected) fail("NetworkError", "GATT Server disconnected while performing operation.");
  }

  #service(uuid: string): Service {
    return { uuid, getCharacteristic: async (wanted) => (await this.operation("characteristic"), this.#characteristic(wanted)) };
  }

  #characteristic(uuid: string): Characteristic {
    const tx = uuid.startsWith("9b84207a");
    const c: Characteristic & { value?: DataView } = Object.assign(new EventTarget(), {
      startNotifications: async (): Promise<Characteristic> => {
        await this.operation(this.#tx ? "subscribe again" : "subscribe");
        if (!tx) fail("NotSupportedError", "GATT Error: Not supported.");
        this.#tx = c;
        this.conn = new Conn(Date.now(), this.#starts++ << 24, this.longest);
        return c;
      },
      writeValueWithResponse: async (b: Bytes): Promise<void> => {
        const copy = b.slice();
        await this.operation("write");
        if (tx) fail("NotSupportedError", "GATT operation not permitted.");
        if (copy.length > this.longest) fail("NetworkError", "GATT Error: invalid attribute length.");
        this.sizes.push(copy.length);
        if (this.conn) this.#did(this.conn.receive(Date.now(), copy));
      },
    });
    return c;
  }

  #did(events: Event[]): void {
    for (const e of events) {
      this.events.push(e);
      if (e.type !== "arrived") continue;
      this.heard.push(e.frame);
      this.conn?.decide(e.id, true);
    }
    this.flush();
  }

  /** flush notifies of what the computer has to say. */
  flush(): void {
    if (this.mute) return;
    for (let s = this.conn?.next(Date.now()); s; s = this.conn?.next(Date.now())) {
      const value = s;
      queueMicrotask(() => this.notify(value));
    }
  }

  notify(b: Bytes): void {
    if (!this.#tx || !this.connected) return;
    const room = new Uint8Array(b.length + 3); // a view, as browsers may give
    room.set(b, 3);
    Object.assign(this.#tx, { value: new DataView(room.buffer, 3) });
    this.#tx.dispatchEvent(new Event("characteristicvaluechanged"));
  }

  say(frame: Bytes): void {
    this.conn?.send(frame);
    this.flush();
  }

  /** lose ends the connection, from either side. */
  lose(): void {
    if (!this.connected) return;
    [this.connected, this.conn, this.#tx] = [false, undefined, undefined];
    this.dispatchEvent(new Event("gattserverdisconnected"));
  }
}

/** fakeBluetooth takes the place of navigator.bluetooth. People choose what is in the list, or nothing. */
export class FakeBluetooth extends EventTarget implements Bluetooth {
  tapped = false; // what a gesture allows once
  on = true;
  refuses: DOMException | undefined;
  chosen: Device | undefined;
  readonly filters: string[][] = [];

  getAvailability = (): Promise<boolean> => Promise.resolve(this.on);

  async requestDevice({ filters }: { filters: { services: string[] }[] }): Promise<Device> {
    if (!this.tapped) fail("SecurityError", "Must be handling a user gesture to show a permission request.");
    this.tapped = false;
    if (filters.length === 0) fail("TypeError", "'filters' member must be non-empty to find any devices.");
    this.filters.push(filters.flatMap((f) => f.services));
    if (this.refuses) throw this.refuses;
    if (!this.on) fail("NotFoundError", "Bluetooth adapter not available.");
    return this.chosen ?? fail("NotFoundError", "User cancelled the requestDevice() chooser.");
  }

  turn(on: boolean): void {
    this.on = on;
    this.dispatchEvent(new Event("availabilitychanged"));
  }
}
