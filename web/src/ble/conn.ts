// One end of one Bluetooth connection, from the subscription to its end; no I/O,
// no clock: docs/protocol.md 5.9. Times are in ms.
import type { Bytes } from "../bytes.ts";
import { type Answer, Inbound } from "./inbound.ts";
import { Outbound, type Outcome } from "./outbound.ts";
import { byes, format, type Hello, kind, maxFrame, maxSegment, minSegment, parse, resets, type Start, version } from "./segment.ts";

const helloAgain = 2_000;
const maxHellos = 6;
const quiet = 30_000; // without a segment, until a ping
const silence = 45_000; // without a segment, until the end
const maxAnswers = 16; // that wait to be written

/** Event is what came of a segment or of time. Who gets "arrived" owns the frame, and decides. */
export type Event = { type: "arrived"; id: number; frame: Bytes } | Outcome | { type: "ended"; why: "no hello" | "silent" | "left" | "version" | "closed" };

export class Conn {
  #peer: Start = 0; // 0 before its first hello
  #peerFrame = maxFrame;
  #peerSegment = minSegment;
  #open = false; // the other end has seen our start: frames may go
  #in = new Inbound();
  readonly #out: Outbound;
  #hellos = 0;
  #helloAt: number; // until open
  #due = { hello: false, ping: false, pong: false };
  #answers: Answer[] = [];
  #bye = 0;
  #heard: number;
  #pinged = false; // since heard
  #over = false;

  /** start is random and not 0, another one for each connection; most is how many bytes one write can have, as far as is known. */
  constructor(now: number, readonly start: Start, public most: number) {
    this.#heard = this.#helloAt = now;
    this.#out = new Outbound(start >>> 24);
    this.tick(now);
  }

  /** receive takes a notification. What is no segment, or not in its place, does nothing. */
  receive(now: number, b: Bytes): Event[] {
    const s = parse(b);
    if (!s || this.#over) return [];
    [this.#heard, this.#pinged] = [now, false];
    if (s.kind === kind.hello) return this.#greeted(now, s);
    if (s.kind === kind.bye) return this.#end("left");
    if (this.#peer === 0) return []; // all else comes after a hello
    switch (s.kind) {
      case kind.data: {
        const { frame, answer } = this.#in.take(now, s);
        this.#answer(answer);
        return frame ? [{ type: "arrived", id: s.id, frame }] : [];
      }
      case kind.ack:
        return this.#out.acked(s.id);
      case kind.reset:
        return this.#out.reset(now, s.id, s.reason);
      case kind.ping:
        this.#due.pong = true;
    }
    return [];
  }

  // greeted: another start is another life of the other end, which knows nothing of what was before.
  #greeted(now: number, g: Hello): Event[] {
    if (g.seen !== 0 && g.seen !== this.start) return []; // notifications reach all centrals: this one is for another
    if (g.version < version) return this.#end("version", byes.foreign);
    const events: Event[] = [];
    if (this.#peer !== g.start) {
      if (this.#peer !== 0) {
        [this.#in, this.#answers] = [new Inbound(), []];
        events.push(...this.#out.restart());
      }
      [this.#peer, this.#open, this.#due.hello] = [g.start, false, true];
      [this.#hellos, this.#helloAt] = [0, now + helloAgain];
    }
    [this.#peerFrame, this.#peerSegment] = [g.maxFrame, g.maxSegment];
    events.push(...this.#out.limit(g.maxFrame));
    if (g.seen === this.start) this.#open = true;
    else this.#due.hello = true;
    return events;
  }

  /** send takes a frame to the other end, and keeps a copy until it was taken or failed. It waits for the other's hello. */
  send(frame: Bytes): void {
    if (this.#over) throw new Error("the Bluetooth connection is over");
    this.#out.send(frame, this.#peerFrame);
  }

  /** decide says of a frame that arrived whether it is kept, or is to come again in a second. */
  decide(id: number, kept: boolean): void {
    const a: Answer = kept ? { kind: kind.ack, id } : { kind: kind.reset, id, reason: resets.busy };
    if (this.#in.decide(a)) this.#answer(a);
  }

  #answer(a: Answer | undefined): void {
    const same = (b: Answer): boolean => b.id === a?.id && b.kind === a.kind;
    if (a && this.#answers.length < maxAnswers && !this.#answers.some(same)) this.#answers.push(a);
  }

  /** close says farewell: write what next has left, and disconnect. */
  close(reason: number): void {
    if (!this.#over) this.#end("closed", reason);
  }

  #end(why: (Event & { type: "ended" })["why"], bye = 0): Event[] {
    this.#bye = bye;
    [this.#over, this.#in, this.#answers, this.#due] = [true, new Inbound(), [], { hello: false, ping: false, pong: false }];
    return [{ type: "ended", why }];
  }

  /** next is the next segment to write; control goes before data. */
  next(now: number): Bytes | undefined {
    const { hello, pong, ping } = this.#due;
    if (hello) return (this.#due.hello = false), format({ kind: kind.hello, version, start: this.start, seen: this.#peer, maxFrame, maxSegment });
    const [bye, answer] = [this.#bye, this.#answers.shift()];
    if (bye) return (this.#bye = 0), format({ kind: kind.bye, reason: bye });
    if (answer) return format(answer);
    if (pong) return (this.#due.pong = false), format({ kind: kind.pong });
    if (ping) return (this.#due.ping = false), format({ kind: kind.ping });
    if (!this.#open || this.#over) return undefined;
    const s = this.#out.next(now, Math.min(Math.max(this.most, minSegment), maxSegment, this.#peerSegment));
    return s && format(s);
  }

  /** tick does what is due. */
  tick(now: number): Event[] {
    if (this.#over) return [];
    const still = now - this.#heard;
    if (still >= silence) return this.#end("silent");
    if (still >= quiet && !this.#pinged) this.#pinged = this.#due.ping = true;
    if (!this.#open && now >= this.#helloAt) {
      if (this.#hellos++ === maxHellos) return this.#end("no hello");
      [this.#due.hello, this.#helloAt] = [true, now + helloAgain];
    }
    this.#in.expire(now);
    return this.#out.tick(now);
  }

  /** open is whether frames can go. */
  get open(): boolean {
    return this.#open && !this.#over;
  }

  /** due is when tick, and then next, have something to do, if no segment comes before. */
  get due(): number {
    if (this.#over) return Infinity;
    return Math.min(this.#heard + (this.#pinged ? silence : quiet), this.#open ? Infinity : this.#helloAt, this.#in.due, this.#out.due);
  }
}
