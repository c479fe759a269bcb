// What a person has chosen about notifications.
import type { Database } from "./idb.ts";

export interface Choices {
  lockScreen: boolean; // they may allow, not only reject
  tellRules: boolean; // they say what a rule allowed
}

/** choices are as they were stored; at first no. */
export async function choices(db: Database): Promise<Choices> {
  const [lockScreen, tellRules] = await Promise.all([db.get("settings", "lockScreen"), db.get("settings", "tellRules")]);
  return { lockScreen: lockScreen === true, tellRules: tellRules === true };
}
