// Words of notifications. What is put in comes cleaned.
export const notices = {
  noUser: "somebody", noHost: "server without a name",
  sign: (namespace: string) => `Signature for ${namespace}`,
  from: (computer: string) => `${computer} asks`,
  first: "first time", forwarded: "may be forwarded",
  by: (program: string, directory: string) => [program, directory && `in ${directory}`].filter(Boolean).join(" "),
  many: (n: number, computer: string) => `${n} requests from ${computer}`,
  more: (n: number) => `and ${n} more`,
  allow: "Allow once", reject: "Reject",
  refused: (what: string) => `Refused: ${what}`,
  hostKey: (computer: string) => `The host key is not the one that is pinned. Nothing was signed for ${computer}.`,
  notFromHere: (computer: string) => `It came through ${computer} from another machine. Nothing was signed.`,
  goOn: (computer: string) => `${computer} waits for the key`,
  goOnSays: "A rule allows it, but the key is locked. Tap to unlock it.",
  ruled: (computer: string) => `Allowed by a rule, for ${computer}`,
  over: "A request is over", overSays: "It was answered, ended on the computer, or came too late.",
  asked: "A computer asks", askedSays: "Open Kryptonite to see what it wants.",
};
