// Start-up. The screens are to come: so far it loads the core and says so.
import "wasm_exec";
import { load } from "./wasm.ts";

async function start(signal: AbortSignal): Promise<string> {
  const core = await load(await WebAssembly.compileStreaming(fetch(PHONE_WASM, { signal })), signal);
  return `The phone core is here: ${Object.keys(core).length} methods.`;
}

const app = document.getElementById("app");
const say = (text: string): void => app?.replaceChildren(text);
start(AbortSignal.timeout(60_000)).then(say, (err: unknown) => say(`The phone core did not start: ${String(err)}`));
