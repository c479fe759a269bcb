// Entries of the phone's log, as internal/auditlog writes them.
import type { Base64, Millis } from "./core.d.ts";
import { fromBase64 } from "./bytes.ts";

export type Decision = "allowed" | "rejected" | "refused" | "expired" | "damaged";

/** An Entry is a decision, for people. Texts may hold any characters. */
export interface Entry {
  seq: number; unix: Millis; pairing: string; computer: string; request: Base64; decision: Decision; reason: string;
  key: string; user: string; namespace: string; host: string; hostKey: string; proof: string; program: string; rule: string;
}

type Stored = Omit<Entry, "unix" | "request" | "hostKey"> & { unix_seconds: number; request_id: Base64; host_key: string };

/** logPrefix begins the keys of the log's records; what follows sorts. */
export const logPrefix = "log/";

/** textOf is the JSON of a stored entry: the bytes that its hash is of. */
export const textOf = (record: Base64): string => new TextDecoder().decode(fromBase64(record));

/** entryOf reads a stored entry; what is empty is not written. */
export function entryOf(record: Base64): Entry {
  const { unix_seconds, request_id, host_key: hostKey = "", ...e } = JSON.parse(textOf(record)) as Partial<Stored> & Pick<Stored, "seq" | "unix_seconds" | "request_id" | "decision">;
  const { seq, decision, pairing = "", computer = "", reason = "", key = "", user = "", namespace = "", host = "", proof = "", program = "", rule = "" } = e;
  return { seq, unix: unix_seconds * 1000, pairing, computer, request: request_id, decision, reason, key, user, namespace, host, hostKey, proof, program, rule };
}
