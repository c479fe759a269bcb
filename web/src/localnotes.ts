// What a page remembers beside the database: not much, and nothing secret.
// Browsers may forbid it; then nothing is remembered.

export function recall(name: string): string {
  try {
    return localStorage.getItem(name) ?? "";
  } catch {
    return "";
  }
}

/** remember keeps value under name; "" forgets it. */
export function remember(name: string, value: string): void {
  try {
    if (value) localStorage.setItem(name, value);
    else localStorage.removeItem(name);
  } catch {
    // then not
  }
}

const mark = "keys"; // there were some

/** Traces tell an app that lost its keys from one that never had any. */
export class Traces {
  #had = false; // in this turn

  /** begin is called when the keys are read anew. */
  begin(): void {
    this.#had = false;
  }

  /** lost is whether there were keys here, of which nobody deleted the last one. */
  lost(keys: number): boolean {
    if (keys > 0 !== this.#had) remember(mark, keys > 0 ? "1" : "");
    this.#had = keys > 0;
    return keys === 0 && recall(mark) !== "";
  }
}
