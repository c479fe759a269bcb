// What a person has chosen.
import type { Database } from "./idb.ts";

/** Hints are what Home offers to do next, until it is done or put off. */
export const hints = ["push", "login", "install"] as const;
export type Hint = (typeof hints)[number];

export interface Choices {
  lockScreen: boolean; // notifications may allow, not only reject
  tellRules: boolean; // they say what a rule allowed
  putOff: Hint[]; // not offered any more
}

/** choices are as they were stored; at first no. */
export async function choices(db: Database): Promise<Choices> {
  const [lockScreen, tellRules, putOff] = await Promise.all([db.get("settings", "lockScreen"), db.get("settings", "tellRules"), db.get("settings", "putOff")]);
  return { lockScreen: lockScreen === true, tellRules: tellRules === true, putOff: hints.filter((h) => Array.isArray(putOff) && putOff.includes(h)) };
}
