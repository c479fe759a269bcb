// What the service worker keeps of its build.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { beforeEach, test } from "node:test";
import { Files } from "../sw/files.ts";

const origin = "https://app.example";
const sum = (text: string): string => createHash("sha256").update(text).digest("base64");
const build = (mark: string): Record<string, string> => ({ "/": `page ${mark}`, [`/app-${mark}.js`]: `script ${mark}`, "/qr.wasm": "reader" });
const files = (mark: string): Files => new Files(`build ${mark}`, Object.fromEntries(Object.entries(build(mark)).map(([path, text]) => [path, sum(text)])), ["/qr.wasm"]);

let served: Record<string, string>;
let fetched: string[];
let room: number; // files
let stored: Map<string, Map<string, Response>>;

beforeEach(() => {
  [served, fetched, room] = [build("a"), [], 100];
  stored = new Map();
  const mock = (name: string, value: unknown): void => void Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  // As browsers do: what has another hash is a network error.
  mock("fetch", async (path: string, o: RequestInit = {}) => {
    fetched.push(path);
    const text = served[path];
    if (text === undefined) return new Response("not found", { status: 404 });
    if (o.integrity && o.integrity !== `sha256-${sum(text)}`) throw new TypeError("Failed to fetch");
    return new Response(text);
  });
  const cache = (name: string): Map<string, Response> => stored.get(name) ?? (stored.set(name, new Map()), stored.get(name)) as Map<string, Response>;
  mock("caches", {
    keys: async () => [...stored.keys()],
    delete: async (name: string) => stored.delete(name),
    match: async (path: string, { cacheName }: { cacheName: string }) => stored.get(cacheName)?.get(path)?.clone(),
    open: async (name: string) => ({
      match: async (path: string) => cache(name).get(path)?.clone(),
      put: async (path: string, file: Response) => {
        if (room-- <= 0) throw new DOMException("Quota exceeded.", "QuotaExceededError");
        cache(name).set(path, file);
      },
    }),
  });
});

const paths = (mark: string): string[] => [...(stored.get(`build ${mark}`)?.keys() ?? [])].sort();
const gets = (path: string, method = "GET"): Request => ({ method, url: origin + path }) as Request;

test("a kept build needs no server, whatever that has by then", async () => {
  const a = files("a");
  await a.keep();
  assert.deepEqual(paths("a"), ["/", "/app-a.js"], "the reader of codes is not needed to start");
  await a.keepLater();
  assert.deepEqual(paths("a"), ["/", "/app-a.js", "/qr.wasm"]);
  served = build("b");
  fetched = [];
  for (const [path, text] of Object.entries(build("a"))) assert.equal(await (await a.answer(gets(`${path}?x=1`), origin))?.text(), text);
  await a.keep();
  assert.deepEqual(fetched, []);
});

test("what is no file of the build is not its business", () => {
  const a = files("a");
  for (const path of ["/v1/mailboxes/x", "/build.json", "/healthz", "/app-b.js", "/constructor", "/__proto__"]) assert.equal(a.answer(gets(path), origin), undefined, path);
  assert.equal(a.answer(gets("/", "POST"), origin), undefined);
  assert.equal(a.answer(gets("/"), "https://other.example"), undefined);
});

test("a browser that finds files by itself is told where: in this build's cache alone, what is kept there and no others", () => {
  const routes = files("a").routes() as { condition: { urlPattern: { pathname: string; search: string }; requestMethod: string }; source: { cacheName: string } }[];
  for (const { condition: { urlPattern: { pathname, search }, requestMethod }, source } of routes) {
    assert.deepEqual([search, requestMethod, source.cacheName], ["", "GET", "build a"]);
    assert.ok(files("a").answer(gets(pathname), origin), pathname);
  }
  assert.deepEqual(routes.map((r) => r.condition.urlPattern.pathname).sort(), ["/", "/app-a.js"], "what is fetched later is not there yet");
});

test("a file that is another one, or missing, keeps the build out, and the one before in", async () => {
  await files("a").keep();
  for (const [name, change] of Object.entries({ other: { "/app-b.js": "evil" }, page: { "/": "page c" }, missing: { "/app-b.js": undefined } })) {
    served = { ...build("b"), ...change } as Record<string, string>;
    const b = files("b");
    await assert.rejects(b.keep(), /^Error: the server (did not send|does not have) \/(app-b\.js)? ?/, name);
    assert.deepEqual([await b.whole(), await b.others(), await files("a").whole()], [false, true, true], name);
    assert.equal(stored.has("build b"), false, name);
  }
});

test("without room nothing is kept, and the app comes from its server", async () => {
  for (room of [0, 1]) {
    const a = files("a");
    await assert.rejects(a.keep(), /no room is left on this phone/);
    assert.equal(stored.size, 0);
    assert.equal(await (await a.answer(gets("/"), origin))?.text(), "page a");
    served = build("b");
    assert.equal(await (await a.answer(gets("/"), origin))?.text(), "page b", "whichever build that has");
    served = build("a");
  }
  const a = files("a");
  room = 2;
  await a.keep();
  await assert.rejects(a.keepLater(), /Quota/);
  assert.equal(await a.whole(), true);
});

test("what the browser evicts while the app runs comes from the server, and is kept again", async () => {
  const a = files("a");
  await a.keep();
  stored.get("build a")?.delete("/app-a.js"); // one file of a build that stays
  assert.equal(await (await a.answer(gets("/app-a.js"), origin))?.text(), "script a");
  [stored, fetched] = [new Map<string, Map<string, Response>>(), []]; // all of it
  assert.equal(await a.whole(), false);
  assert.equal(await (await a.answer(gets("/"), origin))?.text(), "page a");
  assert.deepEqual([fetched, stored.size], [["/"], 0]);
  assert.deepEqual([await a.keep(), await a.whole(), paths("a")], [undefined, true, ["/", "/app-a.js"]]);
});

test("a server puts no other file under a name with a hash, also where nothing is kept", async () => {
  const [script, wasm, icon] = ["/app-0123456789abcdef.js", "/phone-0123456789abcdef.wasm", "/icon.svg"];
  const own = { "/": "page", [script]: "script", [wasm]: "core", [icon]: "icon" };
  const a = new Files("build a", Object.fromEntries(Object.entries(own).map(([path, text]) => [path, sum(text)])), []);
  served = own;
  for (const [path, text] of Object.entries(own)) assert.equal(await (await a.get(path)).text(), text);
  served = { "/": "page of another build", [script]: "evil", [wasm]: "evil", [icon]: "icon of another build" };
  for (const path of [script, wasm]) await assert.rejects(a.get(path), TypeError, path);
  for (const path of ["/", icon]) assert.match(await (await a.get(path)).text(), /another build/);
  await assert.rejects(a.keep(), /did not send/);
  assert.equal(stored.size, 0, "none of it is kept");
});

test("pages that ask at once take turns: one that fails does not empty what another keeps", async () => {
  const a = files("a");
  delete served["/app-a.js"];
  const first = a.keep();
  const second = first.catch(() => (served = build("a"))).then(() => a.keep());
  const third = a.keep();
  await assert.rejects(first, /does not have/);
  await Promise.allSettled([second, third]);
  assert.equal(await a.whole(), true);
  assert.deepEqual(paths("a"), ["/", "/app-a.js"]);
  assert.equal(fetched.filter((path) => path === "/").length, 1);
});

test("an update drops the build before", async () => {
  await files("a").keep();
  served = build("b");
  const b = files("b");
  await b.keep();
  stored.set("core /phone-0123456789abcdef.wasm", new Map());
  await b.alone();
  assert.deepEqual([...stored.keys()], ["build b"]);
});
