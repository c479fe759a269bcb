// QR codes, by a program of ours that is fetched when it is needed first.
import { compile, run } from "./wasm.ts";

interface Program {
  (rgba: Uint8Array, width: number, height: number): string | null;
  (text: string): string | null;
}

/** codes starts the program; what it gives works until it has ended. */
export async function codes(wasm: string, signal: AbortSignal): Promise<Program> {
  const { call, ended } = await run<Program>(await compile(fetch(wasm, { signal }), signal), signal);
  return ((...args: Parameters<Program>) => {
    if (ended()) throw new Error(`the program for codes has ended: ${ended()}`);
    return call(...args);
  }) as Program;
}

/** draw gives rows of "#" and " ", without a quiet zone. */
export async function draw(text: string, wasm: string, signal: AbortSignal): Promise<string[]> {
  const rows = (await codes(wasm, signal))(text);
  if (rows === null) throw new Error("this is too long for a code: copy or share it instead");
  return rows.split("\n");
}
