// Posts, as the relay and Amazon SQS take them, and their answers.
import type { Bytes } from "./bytes.ts";
import { jitter, sleep, within } from "./wait.ts";

export interface Answer {
  status: number;
  body: Record<string, unknown> | null; // null: not a JSON object
}

/** post asks once. It rejects for an answer of more than most bytes. */
export async function post(url: string, headers: Record<string, string>, body: Bytes | string, most: number, signal: AbortSignal): Promise<Answer> {
  // Not cache: "no-store", with which Chromium asks for leave (CORS) before each of
  // them. No cache answers a POST.
  const response = await fetch(url, { method: "POST", headers, body, signal, credentials: "omit", redirect: "error" });
  const text = await read(response, most);
  let json: unknown = null;
  try {
    json = JSON.parse(text);
  } catch {
    // not the words of whom we asked
  }
  const isObject = typeof json === "object" && json !== null && !Array.isArray(json);
  return { status: response.status, body: isObject ? (json as Record<string, unknown>) : null };
}

async function read(response: Response, most: number): Promise<string> {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (let size = 0; ; ) {
    const { value } = (await reader?.read()) ?? {};
    if (!value) return text;
    if ((size += value.length) > most) {
      await reader?.cancel();
      throw new Error("the answer is too long");
    }
    text += decoder.decode(value, { stream: true });
  }
}

const persistLimit = 10_000; // ms, all tries
const tryLimit = 5_000;

/** persist tries until one try goes through, for 10 s, or fails in a way that does not pass. */
export async function persist(attempt: (signal: AbortSignal) => Promise<void>, passes: (err: unknown) => boolean, signal: AbortSignal): Promise<void> {
  const limit = within(persistLimit, signal);
  for (let pause = 50; ; pause = Math.min(2 * pause, 1000)) {
    let failed: unknown;
    try {
      return await attempt(within(tryLimit, limit));
    } catch (err) {
      failed = err;
    }
    if (limit.aborted || !passes(failed)) throw failed;
    await sleep(jitter(pause), limit).catch(() => { throw signal.aborted ? signal.reason : failed; });
  }
}
