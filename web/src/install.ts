// The browser's own offer to install the app: Chromium's beforeinstallprompt.
interface Offer extends Event {
  prompt(): Promise<unknown>;
}

export class Install {
  #offer: Offer | undefined;

  constructor(private readonly changed: () => void) {
    addEventListener("beforeinstallprompt", (event) => {
      event.preventDefault(); // Home offers it, when it is time
      this.#set(event as Offer);
    });
    addEventListener("appinstalled", () => this.#set(undefined));
  }

  get offered(): boolean {
    return this.#offer !== undefined;
  }

  /** run asks the person, in a tap. An offer holds for one time. */
  async run(): Promise<void> {
    const offer = this.#offer;
    this.#set(undefined);
    await offer?.prompt();
  }

  #set(offer: Offer | undefined): void {
    this.#offer = offer;
    this.changed();
  }
}
