// Frames that came over a connection, until they are stored.
import type { Bytes } from "../bytes.ts";
import type { Conn } from "./conn.ts";

const most = 8; // that are being stored; more come again

export class Hearing {
  #now = 0;

  /** decided is called when a frame was acknowledged, or refused. */
  constructor(private readonly around: { heard(frame: Bytes): Promise<void>; note(err: unknown): void }, private readonly decided: () => void) {}

  /** take lets the frame come again that is not kept. */
  take(conn: Conn, id: number, frame: Bytes): void {
    if (this.#now >= most) return conn.decide(id, false);
    this.#now++;
    const decide = (kept: boolean): void => {
      this.#now--;
      conn.decide(id, kept);
      this.decided();
    };
    this.around.heard(frame).then(() => decide(true), (err: unknown) => {
      this.around.note(err);
      decide(false);
    });
  }
}
