// Who does what comes to the worker: a tab that is the phone, or the worker itself.
import { type Errand, hand, patience } from "../src/errands.ts";
import { Taken } from "../src/records.ts";
import type { Shift } from "./shift.ts";
import { takeTurn } from "./turn.ts";

// A Turn of the worker, or its try for one.
interface Turn {
  shift: Promise<Work | undefined>; // undefined: a tab is the phone
  over: Promise<boolean>; // whether it was the worker's
}

type Work = Pick<Shift, "run" | "do">;

export class Duty {
  #turn: Turn | undefined; // one at a time: a second one would wait for the lock of the first

  /** open opens a shift, which a tab ends by signal; seen reports whether people see a tab. */
  constructor(private readonly open: (signal: AbortSignal) => Work, private readonly seen: () => Promise<boolean>) {}

  /** do resolves when an errand is done; for whom it begins a turn, when nothing waits for a person any more. */
  async do(errand: Errand): Promise<void> {
    let wait: number | undefined;
    for (;;) {
      const turn = this.#turn;
      try {
        if (turn) {
          if (await (await turn.shift)?.do(errand)) return;
          await turn.over.catch(() => undefined);
        } else if (await this.#begin(errand, false) || await hand(errand, wait ?? (await this.seen() ? patience.seen : patience.hidden))) return;
        else if (!this.#turn && await this.#begin(errand, true)) return; // from a tab that stands still
      } catch (err) {
        if (!(err instanceof Taken)) throw err;
        wait = patience.starting; // a tab has just taken the phone: it does not stand still
      }
    }
  }

  // begin must be called where there is no turn: from there to its first await there is one.
  async #begin(errand: Errand, force: boolean): Promise<boolean> {
    let ready: (shift?: Work) => void = () => undefined;
    const shift = new Promise<Work | undefined>((resolve) => (ready = resolve));
    const over = takeTurn(force, async (signal) => {
      const working = this.open(signal);
      ready(working);
      await working.run(errand);
    });
    this.#turn = { shift, over };
    try {
      return await over;
    } finally {
      ready();
      this.#turn = undefined;
    }
  }
}
