// Who does what comes to the worker: a tab that is the phone, or the worker itself.
import { type Errand, hand } from "../src/errands.ts";
import { Taken } from "../src/records.ts";
import { compile } from "../src/wasm.ts";
import { type Place, Shift } from "./shift.ts";
import { takeTurn } from "./turn.ts";

// A Turn of the worker, or its try for one.
interface Turn {
  shift: Promise<Shift | undefined>; // undefined: a tab is the phone
  over: Promise<boolean>; // whether it was the worker's
}

export class Duty {
  #turn: Turn | undefined;
  #core: Promise<WebAssembly.Module> | undefined;

  /** fetchCore fetches the phone core. */
  constructor(private readonly place: Omit<Place, "wasm">, private readonly fetchCore: () => Promise<Response>) {}

  /** do resolves when an errand is done; for whom it begins a turn, when nothing waits for a person any more. */
  async do(errand: Errand): Promise<void> {
    for (;;) {
      try {
        if (await this.#join(errand) || await this.#begin(errand, false)) return;
        if (await hand(errand)) return;
        if (!this.#turn && await this.#begin(errand, true)) return; // from a tab that stands still
      } catch (err) {
        if (!(err instanceof Taken)) throw err;
      }
    }
  }

  // join does an errand in the turn that there is.
  async #join(errand: Errand): Promise<boolean> {
    while (this.#turn) {
      const turn = this.#turn;
      if (await (await turn.shift)?.do(errand)) return true;
      await turn.over.catch(() => undefined);
    }
    return false;
  }

  async #begin(errand: Errand, force: boolean): Promise<boolean> {
    let ready: (shift?: Shift) => void = () => undefined;
    const shift = new Promise<Shift | undefined>((resolve) => (ready = resolve));
    const turn: Turn = { shift, over: takeTurn(force, async (signal) => {
      this.#core ??= compile(this.fetchCore(), new AbortController().signal);
      const working = new Shift({ ...this.place, wasm: this.#core }, signal);
      ready(working);
      await working.run(errand);
    }) };
    this.#turn = turn;
    try {
      return await turn.over;
    } catch (err) {
      this.#core = undefined; // perhaps it could not be loaded
      throw err;
    } finally {
      ready();
      this.#turn = undefined;
    }
  }
}
