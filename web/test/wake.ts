// A page that comes back, for modules that ask for events when they are loaded: import it first.
const page = new EventTarget();
Object.assign(globalThis, { addEventListener: page.addEventListener.bind(page) });

export const wake = (): boolean => page.dispatchEvent(new Event("online"));
