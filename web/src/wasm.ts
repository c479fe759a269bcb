// Loads the phone core and calls it. What it may be asked is in core.d.ts.
import type { Phone } from "./core.d.ts";

/** Refused is an argument that the core does not take. */
export class Refused extends Error {}

/** Dead is a core that met a bug of its own, or ended. Start anew from the store. */
export class Dead extends Error {}

type Call = (method: string, args: string) => string;

// What wasm_exec.js, which comes with Go, defines.
interface GoRuntime {
  importObject: WebAssembly.Imports;
  run(instance: WebAssembly.Instance): Promise<void>;
}
declare const globalThis: {
  Go: new () => GoRuntime;
  krReady?: ((given: unknown) => void) | undefined;
};

/** A Running Go program has given one function, and may have ended. */
export interface Running<F> {
  call: F;
  ended(): string; // why, or ""
}

/** run starts a Go program that gives one function. wasm_exec.js must have run. */
export async function run<F>(wasm: WebAssembly.Module, signal: AbortSignal): Promise<Running<F>> {
  const go = new globalThis.Go();
  const instance = await WebAssembly.instantiate(wasm, go.importObject);
  signal.throwIfAborted();
  let ended = "";
  let call: unknown;
  globalThis.krReady = (given) => (call = given);
  // The program runs until its first wait before go.run returns.
  go.run(instance).then(
    () => (ended = "the core has ended"),
    (err: unknown) => (ended = String(err)),
  );
  globalThis.krReady = undefined;
  if (typeof call !== "function") throw new Dead("the core did not start");
  return { call: call as F, ended: () => ended };
}

/** compile compiles a program while it comes. */
export async function compile(response: Promise<Response>, signal: AbortSignal): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compileStreaming(response);
  } catch (err) {
    signal.throwIfAborted();
    throw new Error(`a part of the app could not be loaded (${err instanceof Error ? err.message : String(err)}): is there a connection?`, { cause: err });
  }
}

/** load starts a core. wasm is phone.wasm. */
export async function load(wasm: WebAssembly.Module, signal: AbortSignal): Promise<Phone> {
  const { call, ended } = await run<Call>(wasm, signal);
  return phone(call, ended);
}

// All methods; the type holds this list against the contract, both ways.
const methods: Record<keyof Phone, true> = {
  start: true, handle: true, next: true, computers: true, untold: true, rules: true, pins: true, strange: true, sees: true, bluetooth: true,
  mailbox: true, signRead: true, parseLink: true, publicKey: true, signature: true, keyFits: true, passkeyPublic: true, passkeySignature: true,
  authorizedKey: true, chain: true, uses: true,
};

// phone makes a method of each name: the contract has the types.
function phone(call: Call, ended: () => string): Phone {
  const method = (name: string) => (...args: unknown[]): unknown => {
    if (ended()) throw new Dead(ended());
    let reply: unknown;
    try {
      reply = JSON.parse(call(name, JSON.stringify(args)));
    } catch (err) {
      throw new Dead(ended() || String(err));
    }
    if (isFault(reply)) throw new (reply.type === "Dead" ? Dead : Refused)(reply.text);
    return reply;
  };
  return Object.fromEntries(Object.keys(methods).map((name) => [name, method(name)])) as unknown as Phone;
}

function isFault(v: unknown): v is { type: "Dead" | "Refused"; text: string } {
  return typeof v === "object" && v !== null && "type" in v && (v.type === "Dead" || v.type === "Refused");
}
