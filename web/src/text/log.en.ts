// Words of Activity.
export const log = {
  none: "Nothing has been asked yet. What your computers ask is listed here, with your answers. To try: run `ssh` on a paired computer.", noneFound: "No entry fits.",
  byYou: "by you", byRule: "by a rule", noPlace: "Log",
  when: "When", computer: "Computer", program: "Asked by",
  why: "Why", user: "User", host: "Host", hostKey: "Host key", rule: "Rule", ruleOver: "a rule that is over", number: "Entry",
  search: "Computer, host, user, program", decision: "Decision", anyDecision: "Any decision", anyComputer: "Any computer",
  found: (n: number) => (n === 1 ? "1 entry" : `${n} entries`),
  older: "Show older", reading: "Reading older entries…",
  week: "Last 7 days", counts: (allowed: number, others: number) => `${allowed} allowed, ${others} not`,
  day: (day: string, allowed: number, others: number) => `${day}: ${allowed}${others > 0 ? ` and ${others} not` : ""}`,
  chain: "The record", chainSays: "Each entry holds the hash of the one before it, so one that was changed or removed is found.",
  verify: "Verify the chain", export: "Export JSON",
  holds: (first: number, last: number) => (first === last ? `The chain holds: entry ${last}.` : `The chain holds: entries ${first} to ${last}.`),
  empty: "There is no entry yet.",
  mark: "It ends in", compare: "On a computer, kr log verify says what it saw last: that is this record then, if the numbers agree. With --file it verifies an exported copy.",
  broken: "The chain is broken.", held: (n: number) => `${n === 1 ? "1 entry" : `${n} entries`} before that fit together.`,
  brokenDo: "Compare with kr log on your computers. At its next start the app sets this record aside and begins a new one.",
};
