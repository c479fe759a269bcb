// A WebSocket whose messages are awaited one by one.

import { unless } from "./wait.ts";

/** Closed says how a connection ended; codes are in docs/protocol.md 5.4. */
export class Closed extends Error {
  constructor(readonly code: number) {
    super({
      1001: "the relay goes away",
      4001: "another reads this mailbox",
      4003: "the relay refuses the proof of the mailbox key: is this its public address?",
      4010: "the mailbox was deleted",
      4029: "the relay grants no more mailboxes now",
    }[code] ?? `the connection to the relay ended (${code})`);
  }
}

export type Message = string | ArrayBuffer;

const maxMessage = (64 << 10) + 8;
const maxWaiting = 1024; // messages: more than a mailbox holds

export class Socket {
  readonly #ws: WebSocket;
  readonly #messages: Message[] = [];
  #failed: unknown;
  #more: (() => void) | undefined; // whoever waits
  heard = Date.now(); // when the last message came

  constructor(url: string) {
    this.#ws = new WebSocket(url);
    this.#ws.binaryType = "arraybuffer";
    this.#ws.onclose = ({ code }) => this.fail(new Closed(code));
    this.#ws.onmessage = ({ data }: MessageEvent<Message>) => {
      this.heard = Date.now();
      const size = typeof data === "string" ? data.length : data.byteLength;
      if (size > maxMessage || this.#messages.length >= maxWaiting) return this.fail(new Error("the relay sends too much"));
      this.#messages.push(data);
      this.#more?.();
    };
  }

  /** fail ends the connection; next rejects with err once all that came has been taken. */
  fail(err: unknown): void {
    this.#failed ??= err;
    this.#ws.close();
    this.#more?.();
  }

  send(message: string | Uint8Array<ArrayBuffer>): void {
    if (this.#ws.readyState === WebSocket.OPEN) this.#ws.send(message); // what is lost by its end comes again
  }

  /** next is the next message. Only one may wait for it. */
  async next(signal: AbortSignal): Promise<Message> {
    for (;;) {
      signal.throwIfAborted();
      const message = this.#messages.shift();
      if (message !== undefined) return message;
      if (this.#failed !== undefined) throw this.#failed;
      await unless(signal, new Promise<void>((resolve) => (this.#more = resolve)));
    }
  }
}
