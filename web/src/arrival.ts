// The pairing link that the app was opened by.

export class Arrival {
  #link = "";

  constructor(private readonly ready: () => boolean, private readonly open: (link: string) => void) {}

  /** came opens a link, now or when the phone works: call it then, without one. The last that came counts. */
  came(link = ""): void {
    this.#link = link || this.#link;
    if (!this.#link || !this.ready()) return;
    const opened = this.#link;
    this.#link = "";
    this.open(opened);
  }
}
