// One pairing by Bluetooth: connections, one after another, as long as the page
// lives. As internal/transport/ble does it.
import type { Bytes } from "../bytes.ts";
import { jitter, nap } from "../wait.ts";
import { Conn } from "./conn.ts";
import type { Device } from "./gatt.ts";
import { Hearing } from "./hearing.ts";
import { Outbox, type Sending } from "./outbox.ts";
import { Port } from "./port.ts";
import { byes, minSegment, start } from "./segment.ts";

const minPause = 500; // ms, between two tries to connect
const maxPause = 5_000; // a computer can be had only while it wants something
const hidden = 60_000;
const maxInbox = 1_024; // segments that came during one write
const moment = 500; // ms, for a farewell
const lastWords = 10_000; // ms, for what waits at the end
const partLimit = 600_000; // ms, for the last word of a pairing: the computer is near only when it asks

export interface Around {
  heard(frame: Bytes): Promise<void>; // rejects what must come again
  changed(): void; // it is connected, or not any more
  note(err: unknown): void;
}

export class Link {
  readonly #outbox = new Outbox(() => this.#wake());
  readonly #hearing: Hearing;
  readonly #end = new AbortController();
  readonly #signal: AbortSignal;
  #wake = (): void => undefined; // whoever waits
  up = false; // the computer is connected, and has answered
  #leaving = false;
  #parting = false;
  #lastWord: Promise<void> | undefined; // since part

  /** service is a UUID. The link ends with signal, or by leave. */
  constructor(private readonly device: Device, private readonly service: string, private readonly around: Around, signal: AbortSignal) {
    [this.#signal, this.#hearing] = [AbortSignal.any([signal, this.#end.signal]), new Hearing(around, () => this.#wake())];
    this.#signal.addEventListener("abort", () => this.#wake(), { once: true });
  }

  /** run connects again and again while the page is seen. */
  async run(): Promise<void> {
    for (let pause = minPause; !this.#signal.aborted && !this.#said; pause = Math.min(2 * pause, maxPause)) {
      try {
        while (globalThis.document?.visibilityState === "hidden") await nap(hidden, this.#signal);
        await this.#once(() => (pause = minPause));
      } catch (err) {
        if (!this.#signal.aborted) this.around.note(err);
      }
      this.#show(false);
      await nap(jitter(pause), this.#signal).catch(() => undefined);
    }
  }

  /** send resolves when the computer has the frame, over this connection or a later one. */
  send(frame: Bytes, signal: AbortSignal): Promise<void> {
    if (this.#parting) return (this.#lastWord ??= this.#outbox.send(frame, this.#signal)); // which comes again and again
    return this.#outbox.send(frame, AbortSignal.any([signal, this.#signal]));
  }

  /** leave ends the link: if it is connected, once what is still said in a moment was taken. */
  leave(limit = lastWords): void {
    const end = (): void => this.#end.abort(new Error("Bluetooth was ended"));
    if (!this.up && !this.#parting) return end();
    setTimeout(end, limit);
    setTimeout(() => {
      this.#leaving = true;
      if (!this.up && this.#said) end();
      this.#wake();
    }, moment);
  }

  /** part is leave when the pairing is over: its last word waits for the computer, as long as the page lives. */
  part(): void {
    this.#parting = true;
    this.leave(partLimit);
  }

  // Whether it leaves, and nothing waits.
  get #said(): boolean {
    return this.#leaving && this.#outbox.empty;
  }

  #show(up: boolean): void {
    if (this.up === up) return;
    this.up = up;
    this.around.changed();
  }

  // once is one connection, until it ends.
  async #once(worked: () => void): Promise<void> {
    const inbox: Bytes[] = [];
    let lost = false;
    const heard = (segment: Bytes): void => {
      if (inbox.length < maxInbox) inbox.push(segment); // what is too much comes again
      this.#wake();
    };
    const port = await Port.open(this.device, this.service, heard, () => ((lost = true), this.#wake()), this.#signal);
    let current: Sending | undefined;
    try {
      const conn = new Conn(Date.now(), start(), minSegment);
      for (let over = false; ; ) {
        const events = conn.tick(Date.now());
        for (const segment of inbox.splice(0)) {
          // One notification is one PDU, so a write can be as long: the page learns its MTU in no other way.
          conn.most = Math.max(conn.most, segment.length);
          events.push(...conn.receive(Date.now(), segment));
        }
        for (const e of events) {
          if (e.type === "arrived") this.#hearing.take(conn, e.id, e.frame);
          else if (e.type === "ended") over = true;
          else {
            current?.settle(e.type === "taken" ? undefined : new Error(`the computer did not take a frame by Bluetooth: ${e.why}`));
            current = undefined;
          }
        }
        this.#signal.throwIfAborted();
        if (lost) throw new Error("the Bluetooth connection was lost");
        if (conn.open) worked();
        this.#show(conn.open);
        if (conn.open && !over && !current && (current = this.#outbox.take())) conn.send(current.frame);
        if (!over && !current && this.#said) {
          conn.close(byes.done);
          over = true;
        }
        const segment = conn.next(Date.now());
        if (segment) await port.write(segment, this.#signal);
        else if (over) break;
        else if (inbox.length === 0) await this.#until(conn.due);
      }
      if (this.#said && !current) this.#end.abort(new Error("Bluetooth was ended"));
    } finally {
      port.close();
      if (current) this.#outbox.back(current);
    }
  }

  // until waits for something to do.
  #until(due: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = due < Infinity ? setTimeout(resolve, Math.max(0, due - Date.now())) : undefined;
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
