// Frames that wait for a connection, and for its turn.
import type { Bytes } from "../bytes.ts";
import { unless } from "../wait.ts";

export interface Sending {
  frame: Bytes;
  signal: AbortSignal; // nobody wants it any more
  settle(err?: unknown): void;
}

export class Outbox {
  #waiting: Sending[] = [];

  constructor(private readonly more: () => void) {}

  /** send resolves when somebody settles the frame, and rejects with the signal's reason if that comes first. */
  send(frame: Bytes, signal: AbortSignal): Promise<void> {
    return unless(signal, new Promise<void>((resolve, reject) => {
      this.#drop();
      this.#waiting.push({ frame, signal, settle: (err) => (err === undefined ? resolve() : reject(err)) });
      this.more();
    }));
  }

  /** take is the next frame that is wanted. */
  take(): Sending | undefined {
    this.#drop();
    return this.#waiting.shift();
  }

  /** back is for a frame that was taken here, and by nobody else. */
  back(s: Sending): void {
    this.#waiting.unshift(s);
  }

  get empty(): boolean {
    this.#drop();
    return this.#waiting.length === 0;
  }

  #drop(): void {
    this.#waiting = this.#waiting.filter((s) => !s.signal.aborted);
  }
}
