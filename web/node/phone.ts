// The web phone without a page, for tests: it prints what it would show as lines
// of JSON, and reads "LINK", "yes", "no", "allow" and "reject", a line each.
//
//	node phone.mjs phone.wasm DIRECTORY NAME
//
// With KIND=passkey its key is a passkey in software.
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import "wasm_exec";
import type { Card, ShowWords } from "../src/core.d.ts";
import { Runner } from "../src/runner.ts";
import { load } from "../src/wasm.ts";
import { fileSigner, fileStore } from "./files.ts";
import { passkeySigner } from "./passkey.ts";

const begun = performance.now();
const [wasm = "", dir = "", name = ""] = process.argv.slice(2);
const end = new AbortController();
process.once("SIGTERM", () => end.abort(new Error("terminated")));

const say = (line: object): void => console.log(JSON.stringify(line));
const log = (err: unknown): void => {
  if (!end.signal.aborted) say({ type: "Log", text: String(err) });
};

const core = await load(await WebAssembly.compile(new Uint8Array(await readFile(wasm))), end.signal);
const ready = performance.now() - begun;
const store = await fileStore(dir);
const signer = await (process.env["KIND"] === "passkey" ? passkeySigner : fileSigner)(core, dir);
core.start({ name, keys: signer.keys(), bluetooth: false }, await store.load(end.signal));

let words: ShowWords | undefined;
let card: Card | undefined; // the last one that was asked about
const runner = new Runner({ core, store, signer, log, show: (what) => {
  if (what.type === "ShowWords") words = what;
  if (what.type === "Ask") card = what.card;
  say(what);
} }, end.signal);
const running = runner.run();

async function answer(line: string): Promise<void> {
  if (/^https?:/i.test(line)) return runner.post({ type: "OpenLink", link: line });
  if (words && (line === "yes" || line === "no")) {
    return runner.post({ type: "Confirm", pairing: words.pairing, yes: line === "yes" });
  }
  if (!card || (line !== "allow" && line !== "reject")) throw new Error(`there is nothing to answer with ${line}`);
  const tapped = performance.now();
  const { pairing, request } = card;
  await runner.post({ type: "Decide", pairing, request, allow: line === "allow", grant: { scope: "", for: 0, count: 0, closed: false } });
  const signed = performance.now();
  await runner.posted();
  say({ type: "Took", stored: signed - tapped, sent: performance.now() - tapped });
}

createInterface({ input: process.stdin }).on("line", (line) => void answer(line.trim()).catch(log));
for (const c of core.computers()) say({ type: "Computer", ...c });
say({ type: "Ready", core: ready, all: performance.now() - begun, key: core.authorizedKey(signer.keys()[0]?.publicKey ?? "", name) });
await running;
process.exit(0); // the core never ends by itself
