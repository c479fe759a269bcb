// Who does what comes to the worker: a tab that is the phone, or the worker itself.
import { type Errand, hand } from "../src/errands.ts";
import { compile } from "../src/wasm.ts";
import { type Place, Shift } from "./shift.ts";
import { takeTurn } from "./turn.ts";

export class Duty {
  #shift: Shift | undefined;
  #core: Promise<WebAssembly.Module> | undefined;

  /** fetchCore fetches the phone core. */
  constructor(private readonly place: Omit<Place, "wasm">, private readonly fetchCore: () => Promise<Response>) {}

  /** do resolves when an errand is done, and nothing waits for a person any more. */
  async do(errand: Errand): Promise<void> {
    if (await this.#join(errand)) return;
    if (await takeTurn(false, (signal) => this.#work(errand, signal))) return;
    if (await this.#join(errand)) return;
    if (await hand(errand)) return;
    await takeTurn(true, (signal) => this.#work(errand, signal)); // from a tab that stands still
  }

  async #join(errand: Errand): Promise<boolean> {
    return (await this.#shift?.do(errand)) ?? false;
  }

  async #work(errand: Errand, signal: AbortSignal): Promise<void> {
    this.#core ??= compile(this.fetchCore(), new AbortController().signal);
    const shift = new Shift({ ...this.place, wasm: this.#core }, signal);
    this.#shift = shift;
    try {
      await shift.run(errand);
    } catch (err) {
      this.#core = undefined; // perhaps it could not be loaded
      throw err;
    } finally {
      this.#shift = undefined;
    }
  }
}
