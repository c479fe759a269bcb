// All words of the screens, in English. Pieces that are put in come from the
// screens, kept apart there; so a text with pieces is a list.
import { card } from "./card.en.ts";
import { manage } from "./manage.en.ts";
import { log } from "./log.en.ts";
import { first } from "./first.en.ts";
import { pages } from "./pages.en.ts";
import { push } from "./push.en.ts";
import { update } from "./update.en.ts";
import { upkeep } from "./upkeep.en.ts";

const min = (n: number): string => `${n} min`;
const hours = (n: number): string => `${n} h`;

const proof = {
  proved: { word: "Proved.", says: <T>(_: T) => ["The server showed that it holds this host key, and the login is for it alone."] },
  vouched: { word: "Vouched.", says: <T>(_: T) => ["The server showed a host key, but the login does not name it: that server could pass it on to another."] },
  bound: { word: "Bound to a key.", says: <T>(_: T) => ["The login works only at a server with this host key. No server has shown yet that it holds it."] },
  reported: { word: "Reported.", says: <T>(computer: T) => ["Only ", computer, " says which server this is. The phone cannot check it."] },
  unknown: { word: "Unknown.", says: <T>(_: T) => ["Nothing says which server this login is for."] },
};

export const t = {
  ...first,
  ...pages, ...manage,
  locale: "en-GB",
  app: "Kryptonite",
  title: (waiting: number) => (waiting > 0 ? `(${waiting}) Kryptonite` : "Kryptonite"), // of the page
  navigation: "Sections",
  tabs: { home: "Home", activity: "Activity", computers: "Computers", settings: "Settings" },
  min, hours,
  seconds: (n: string) => `${n} s`,
  ago: (span: string) => `${span} ago`,
  justNow: "just now", never: "never", today: "Today", yesterday: "Yesterday",
  back: "Back", cancel: "Cancel", close: "Close", dismiss: "Dismiss", understood: "Understood", putAway: "Put aside, decide later",
  more0: "More", more: (n: number) => `and ${n} more`,
  showAll: (n: number) => `Show all ${n} characters`, showLess: "Show less", empty: "(empty)",
  proof,
  proofWord: (p: string): string => ({ proved: "Proved", vouched: "Vouched", bound: "Bound to a key", reported: "Reported", unknown: "Unknown" })[p] ?? "Unknown",
  card,
  log,
  push,
  update,
  upkeep,
  decision: { allowed: "Allowed", rejected: "Rejected", refused: "Refused", expired: "Not answered", damaged: "Log damaged" },
  ended: {
    took: (time: string) => `approved in ${time}`,
    answered: { title: "Allowed" },
    rejected: { title: "Rejected" },
    cancelled: { title: "Withdrawn", says: <T>(computer: T) => ["ssh was ended on ", computer, ". Nothing was signed."] },
    locked: { title: "Computer locked", says: <T>(computer: T) => ["All that ", computer, " asks is refused until you unlock it. Nothing was signed."] },
    failed: { title: "Not signed", says: <T>(computer: T) => ["The key was not unlocked or could not be used, and ", computer, " was told so. To try again, ask again from there."] },
    expired: { title: "Too late", says: <T>(computer: T) => ["The time to answer ran out, and ", computer, " went on without this key. Nothing was signed."] },
  },
  unlock: {
    title: "Continue?",
    goesOn: <T>(computer: T) => [computer, " goes on with"],
    until: (time: string) => `You allowed this until ${time}.`,
    locked: <T>(key: T) => ["The key ", key, " is locked: unlock it to go on."],
    left: (time: string) => `Time left: ${time}`,
    go: "Continue", notNow: "Not now",
  },
  alarm: {
    refused: "Refused.",
    keep: "Keep refusing",
    expected: "Expected", seen: "Seen now", now: "just now, from this login",
    since: <T>(day: string, by: T) => [`pinned since ${day}, at a login from `, by],
    meansTitle: "What it can mean", doTitle: "What to do",
    know: "I know why the key changed…",
    compare: <T>(name: T) => ["Get the fingerprint of ", name, " from who runs it, by another way than this login, and compare it with this one:"],
    compared: "I compared it, and it is the same.",
    trust: "Trust the new key",
    changed: {
      title: "The host key has changed",
      says: <T>(_: T) => ["This server does not show the key it had before. The login was not signed, and the computer was told why."],
      means: ["Somebody is between the computer and the server, or sends the login elsewhere.", "The server was set up anew, or its key was replaced."],
      todo: "Ask who runs the server whether its key was replaced. If nobody can say so, leave it refused.",
    },
    newType: {
      title: "Another kind of host key",
      says: <T>(_: T) => ["This server shows a key of a kind that was never seen there. The login was not signed, and the computer was told why."],
      means: ["Somebody is between the computer and the server and avoids the key that is pinned.", "The server has got a further key, and ssh prefers it now."],
      todo: "Ask who runs the server for the fingerprints of all its keys. If this one is not among them, leave it refused.",
    },
    downgraded: {
      title: "Less proof than before",
      says: <T>(_: T) => ["Logins to this server used to name its host key. This one does not. It was not signed, and the computer was told why."],
      means: ["Somebody is in between and uses an older way to log in.", "The server, or ssh on the computer, was replaced by an older version."],
      todo: "Log in with a current ssh. If the server is now older on purpose, forget it under Settings, Known hosts, and log in again.",
    },
    forwarded: {
      title: "Refused: forwarded",
      says: <T>(computer: T) => ["This request did not come from ", computer, " itself, but through a server that it forwards its agent to."],
      risk: "Who controls that server can ask in your name. If you use agent forwarding on purpose, you can be asked each time; such requests are never allowed by a rule.",
      ask: "Ask me from now on",
    },
  },
  rule: {
    blocked: <T>(computer: T) => [computer, " is blocked"],
    computer: <T>(computer: T) => [computer, ": all known servers"],
    from: <T>(computer: T) => ["from ", computer],
    until: (time: string, left: string) => `until ${time}, ${left} left`,
    since: (from: string, until: string) => `allowed from ${from} until ${until}`,
    logins: (n: number) => (n === 1 ? "1 login left" : `${n} logins left`),
    closed: "also while the app is closed",
    end: "Revoke",
  },
};
