// The page's side of the service worker. Its name has its hash, and it has the
// hashes of all other files: it is the build. Under one name browsers find no
// other, so that what runs here changes only when another one is registered.
import { unless, within } from "./wait.ts";

const limit = 20_000; // ms

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL: (hash: string) => string }): { createScriptURL(hash: string): string };
}

// The scripts that the page may start: webapp.Policy names the policy.
const named = (hash: string): string => `/sw-${hash}.js`;
const policy = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes?.createPolicy("worker", { createScriptURL: named });

/** hashOf is which build a worker is, by its URL: 16 hex digits of its SHA-256, "" for none. */
export const hashOf = (url = ""): string => /\/sw-([0-9a-f]{16})\.js$/.exec(url)?.[1] ?? "";

/** newest is the build that the origin has now. */
export async function newest(signal: AbortSignal): Promise<string> {
  const { worker } = await (await fetch("/build.json", { cache: "no-store", signal })).json() as { worker?: unknown };
  const hash = hashOf(String(worker));
  if (!hash) throw new Error("the server does not say which version it has");
  return hash;
}

/** install starts to install a build in place of the one that is there. */
export const install = (hash: string): Promise<ServiceWorkerRegistration> =>
  navigator.serviceWorker.register(policy?.createScriptURL(hash) ?? named(hash), { updateViaCache: "all" });

/** register resolves when a service worker is ready: the one that there is, else the newest. */
export async function register(signal: AbortSignal): Promise<ServiceWorkerRegistration> {
  const limited = within(limit, signal);
  const there = await unless(limited, navigator.serviceWorker.getRegistration());
  if (!hashOf(there?.active?.scriptURL)) await unless(limited, install(await newest(limited)));
  return unless(limited, navigator.serviceWorker.ready);
}
