// The whole contract with the phone core. internal/phonejs/contract_test.go
// holds this page against the Go types, in both directions.

export type Base64 = string; // bytes
export type Millis = number; // a time: Unix milliseconds, 0 is never; or how long
export type Name = string; // of a host, "host" or "[host]:port"
export type Proof = "proved" | "vouched" | "bound" | "unknown";
export type Scope = "" | "host" | "computer" | "block";
export type Code = "" | "rejected" | "refused" | "host_key" | "forwarded" | "locked" | "unknown_key" | "clock_skew" | "expired" | "cancelled" | "unknown_kind";
export type Verdict = "NoName" | "New" | "Match" | "Mismatch" | "NewType" | "Downgraded";
export type NoteKind = "BadLink" | "NoHello" | "TooLate" | "Paired" | "Live" | "Refused" | "Unpaired" | "Told" | "Skew" | "Signed" | "LogDamaged" | "Unheard" | "Untrusted" | "Opened";
export type KeyType = "ssh-ed25519" | "ecdsa-sha2-nistp256";

// What may be called. Each throws Refused for arguments that do not fit, and
// Dead once the core has met a bug of its own.
export interface Phone {
  start(config: Config, records: Record<string, Base64>): null;
  handle(now: Millis, event: Event): Effect[];
  next(): Millis | null; // when a Tick is due
  computers(): Computer[];
  untold(): string[]; // names of computers that do not know yet that they are unpaired
  rules(now: Millis): Rule[];
  pins(): Pin[];
  strange(): Pin[]; // host keys that were refused
  sees(pairing: string, fingerprint: string): boolean;
  bluetooth(pairing: string): string[]; // UUIDs of the services that its computer may have
  mailbox(seed: Base64): Mailbox;
  signRead(seed: Base64, origin: string, nonce: Base64): Base64;
  parseLink(link: string): Invitation;
  publicKey(type: KeyType, raw: Base64): PublicKey; // raw as WebCrypto exports it
  signature(type: KeyType, raw: Base64): Base64; // raw as WebCrypto makes it
  keyFits(keys: SSHKey[], name: string): null; // throws, for people: one more would be too many, or has the name of one
  passkeyPublic(spki: Base64, application: string): PublicKey; // spki as getPublicKey() gives it, ES256 only; the RP ID
  passkeySignature(assertion: Assertion): Base64; // the challenge was the whole payload
  authorizedKey(blob: Base64, comment: string): string;
  uses(stored: Base64[], fingerprint: string): Use[]; // all records of the log, oldest first
  chain(records: Record<string, Base64>): Chain; // of the log among records
}

// Events: what happened. Their meaning is in internal/phone/event.go.
export type Event = Start | OpenLink | Confirm | Frame | Decide | Revoke | ForgetHost | Forward | TrustHost | Lock | NameComputer | Signed | Unpair | Told | Tick | KeysChanged | AllowKey | Acknowledge | Renamed | Subscribed | Registered;
export interface Start { type: "Start" }
export interface OpenLink { type: "OpenLink"; link: string }
export interface Confirm { type: "Confirm"; pairing: string; yes: boolean }
export interface Frame { type: "Frame"; pairing: string; data: Base64 }
export interface Decide { type: "Decide"; pairing: string; request: Base64; allow: boolean; grant: Grant }
export interface Revoke { type: "Revoke"; rule: string }
export interface ForgetHost { type: "ForgetHost"; name: Name; scope: string }
export interface Forward { type: "Forward"; pairing: string; ask: boolean }
export interface TrustHost { type: "TrustHost"; name: Name; scope: string; fingerprint: string }
export interface Lock { type: "Lock"; pairing: string; on: boolean }
export interface NameComputer { type: "NameComputer"; pairing: string; name: string }
export interface Signed { type: "Signed"; pairing: string; request: Base64; signature: Base64; failed: string; wrapped: Base64 }
export interface Unpair { type: "Unpair"; pairing: string }
export interface Told { type: "Told"; pairing: string }
export interface Tick { type: "Tick" }
export interface KeysChanged { type: "KeysChanged"; keys: SSHKey[] }
export interface Acknowledge { type: "Acknowledge" }
export interface Renamed { type: "Renamed"; name: string }
export interface AllowKey { type: "AllowKey"; pairing: string; fingerprint: string; allow: boolean }
export interface Subscribed { type: "Subscribed"; vapid: Base64; endpoint: string; p256dh: Base64; auth: Base64 } // endpoint "": there is none
export interface Registered { type: "Registered"; platform: string; token: string } // token "": there is none

// Effects: what to do, in order, after all Store effects of the call are durable.
export type Effect = Store | Listen | Close | Send | Sign | ShowWords | Ask | Alarm | Withdraw | Note | Subscribe;
export interface Store { type: "Store"; key: string; value: Base64 | null }
export interface Listen { type: "Listen"; pairing: string; origin: string; seed: Base64; new: boolean; sqs: SQSAddress | null; bluetooth: BluetoothAddress | null }
export interface Close { type: "Close"; pairing: string; origin: string; seed: Base64; sqs: SQSAddress | null; bluetooth: BluetoothAddress | null }
export interface Send { type: "Send"; pairing: string; to: Address[]; frame: Base64; farewell: boolean }
export interface Sign {
  type: "Sign"; pairing: string; request: Base64; fingerprint: string; payload: Base64; expires: Millis;
  card: Card; rule: string; // what it is for, and the rule that allowed it or was given with it: it may be over
  wrap: Base64; renew: boolean; unwrap: Base64; wrapped: Base64; // of a rule that works while the app is closed; "" when none
}
export interface ShowWords { type: "ShowWords"; pairing: string; computer: string; words: string }
export interface Ask { type: "Ask"; card: Card }
export interface Alarm { type: "Alarm"; card: Card; code: Code; reason: string }
export interface Withdraw { type: "Withdraw"; pairing: string; request: Base64; why: Code }
export interface Note { type: "Note"; pairing: string; computer: string; kind: NoteKind; err: string; rule: string }
export interface Subscribe { type: "Subscribe"; vapid: Base64 } // to the push service with this key; "": not any more

// What is inside.
export interface Config { name: string; keys: SSHKey[]; bluetooth: boolean }
export interface SSHKey { publicKey: Base64; name: string }
export interface Grant { scope: Scope; for: Millis; count: number; closed: boolean }
export interface Address { relay: RelayAddress | null; sqs: SQSAddress | null; bluetooth: BluetoothAddress | null }
export interface RelayAddress { origin: string; mailbox: Base64 }
export interface BluetoothAddress { service: Base64 } // a UUID, 16 bytes
export interface SQSAddress { region: string; account: string; toComputer: string; toPhone: string }
export interface Mailbox { address: string; publicKey: Base64 }
export interface Invitation { app: string; relay: string; region: string; account: string } // relay "": they meet at Amazon SQS; region "", too: by Bluetooth
export interface Assertion { authenticatorData: Base64; clientDataJSON: Base64; signature: Base64; origin: string }
export interface PublicKey { blob: Base64; fingerprint: string }
export interface Computer { pairing: string; name: string; bluetooth: boolean; live: boolean; paired: Millis; heard: Millis; forward: boolean; locked: Millis }
export interface Rule {
  id: string; scope: Scope; pairing: string; key: string; user: string; hostKey: string; name: string;
  since: Millis; until: Millis; left: number; counted: boolean; closed: boolean;
}
export interface Pin {
  name: Name; scope: string; keyType: string; fingerprint: string; unix: Millis; by: string; proof: string; hostbound: boolean;
}
export interface Card {
  pairing: string; request: Base64; computer: string; keyName: string;
  user: string; namespace: string; // any text: show it as text, cleaned
  host: Host; reported: Reported; expires: Millis;
  name: Name; known: Verdict; pins: Pin[]; knownAs: Name[];
  hostName: Name; called: Name; // what to call the host; what the computer calls it, if otherwise
  noHostRule: string; noComputerRule: string; // why not, "" when it may
}
export interface Host {
  proof: Proof; keyType: string; fingerprint: string; cert: Cert | null; local: boolean; path: string[];
}
export interface Cert { ca: string; principals: string[]; validAfter: Millis | null; validBefore: Millis | null }
export interface Chain { held: number; first: number; length: number; head: string; broken: string } // broken: what is wrong with the entry that comes next
export interface Use { user: string; host: string; hostKey: string; namespace: string; last: Millis }
export interface Reported { program: string; directory: string; remote: string; branch: string; host: string; port: number; hostKeyAlias: boolean }
