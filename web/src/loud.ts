// Which refusals make a sound.
import type { Alarm, Millis } from "./core.d.ts";
import type { Entry } from "./entry.ts";

const quiet = 600_000; // ms
const most = 3; // of one computer in that time

/**
 * loud is whether a login that was refused may ring: the first of its kind within ten
 * minutes, and no more than three of a computer. log has the newest entry first, its own too.
 */
export function loud(log: Entry[], { card, reason }: Alarm, now: Millis): boolean {
  const before = log.filter((e) => e.pairing === card.pairing && e.request !== card.request && e.decision === "refused" && now - e.unix < quiet);
  return before.length < most && !before.some((e) => e.hostKey === card.host.fingerprint && e.reason === reason);
}
