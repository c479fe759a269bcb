// What tabs and the service worker know each other by.

/** phoneLock is the Web Lock of whoever is the phone; wants to be it is said on the channel of that name. */
export const phoneLock = "kryptonite";

/** workerLock is held beside it by the service worker, which lets go for any tab. */
export const workerLock = "kryptonite worker";

/** shellChannel is where workers say whether they keep their build. */
export const shellChannel = "kryptonite shell";

/** Said is what a worker says of its build: "" if all of it is kept. */
export type Said = { hash: string; why: string };
