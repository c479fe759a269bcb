// Where a key was used, by the whole log on disk.
import type { Phone, Use } from "./core.d.ts";
import type { Database } from "./idb.ts";
import { logPrefix } from "./entry.ts";

/** uses is the latest first; it rejects if the log is damaged. */
export async function uses(core: Phone, db: Database, fingerprint: string): Promise<Use[]> {
  const { result } = await db.change(["records"], (t) => t("records").getAll(IDBKeyRange.bound(logPrefix, `${logPrefix}~`)));
  return core.uses(result.filter((r: unknown) => typeof r === "string"), fingerprint);
}
