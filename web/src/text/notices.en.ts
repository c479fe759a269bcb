// Words of notifications. What is put in comes cleaned.
export const notices = {
  noUser: "somebody", noHost: "server without a name",
  sign: (namespace: string) => `Signature for ${namespace}`,
  from: (computer: string) => `${computer} asks`,
  first: "host key never seen here", called: (name: string) => `calls it ${name}`, forwarded: "may be forwarded",
  by: (computer: string, program: string, directory: string) => [`${computer} says:`, program, directory && `in ${directory}`].filter(Boolean).join(" "),
  many: (n: number, computer: string) => `${n} requests from ${computer}`,
  more: (n: number) => `and ${n} more`,
  allow: "Allow once", reject: "Reject",
  ended: {
    allowed: (what: string) => `Allowed: ${what}`, rejected: (what: string) => `Rejected: ${what}`, cancelled: (what: string) => `Ended there: ${what}`,
    expired: (what: string) => `Too late: ${what}`, failed: (what: string) => `Not signed: ${what}`,
  },
  refused: (what: string) => `Refused: ${what}`,
  hostKey: (computer: string) => `The host key is not the one that is pinned. Nothing was signed for ${computer}.`,
  notFromHere: (computer: string) => `It came through ${computer} from another machine. Nothing was signed.`,
  goOn: (computer: string) => `${computer} waits for the key`,
  goOnSays: "The login is allowed, but the key is locked. Tap to unlock it.",
  ruled: (computer: string) => `Allowed by a rule, for ${computer}`,
  over: "A computer asked", overSays: "Nothing waits here now: it was answered or ended, or has not come through yet.",
  asked: "A computer asks", askedSays: "Open Kryptonite to see what it wants.",
};
