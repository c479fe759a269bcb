// The page's side of the service worker.
import { unless, within } from "./wait.ts";

const limit = 20_000; // ms

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL: () => string }): { createScriptURL(url: string): string };
}

// The one script that the page may start: webapp.Policy names the policy.
const script = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes?.createPolicy("worker", { createScriptURL: () => "/sw.js" }).createScriptURL("") ?? "/sw.js";

/** register resolves when the service worker is ready. */
export async function register(signal: AbortSignal): Promise<ServiceWorkerRegistration> {
  const limited = within(limit, signal);
  await unless(limited, navigator.serviceWorker.register(script, { updateViaCache: "none" }));
  return unless(limited, navigator.serviceWorker.ready);
}
