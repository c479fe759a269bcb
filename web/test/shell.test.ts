// Which build a page runs, keeps and offers.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { Said } from "../src/lockname.ts";
import { Shell } from "../src/shell.ts";

const [a, b] = ["aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"];
const script = (hash: string): string => `https://app.example/sw-${hash}.js`;

// The browser: what is registered, what the server says it has, and what workers say.
let active: string; // URL of the worker, "" for none
let served: unknown; // build.json; undefined: no server
let whys: Record<string, string>; // why a build cannot be kept
let installed: string[];
let reloads: number;
let hear: ((event: { data: Said }) => void)[];

const say = (hash: string): void => hear.forEach((h) => h({ data: { hash, why: whys[hash] ?? "" } }));
const registration = (): object | undefined => (active ? { active: { scriptURL: active, postMessage: () => setTimeout(say, 0, /-(\w+)\.js/.exec(active)?.[1] ?? "") } } : undefined);
const container = {
  controller: null as { scriptURL: string } | null,
  addEventListener: () => undefined,
  getRegistration: async () => registration(),
  get ready() { return Promise.resolve(registration()); },
  register: async (path: string) => {
    installed.push(path);
    const hash = path.slice(4, 20);
    if (!active || !whys[hash]) active = script(hash);
    setTimeout(say, 0, hash);
    return registration();
  },
};

beforeEach(() => {
  [active, served, installed, reloads, container.controller] = ["", { worker: `/sw-${a}.js` }, [], 0, null];
  [whys, hear] = [{}, []];
  const mock = (name: string, value: unknown): void => void Object.defineProperty(globalThis, name, { value, configurable: true });
  mock("navigator", { serviceWorker: container });
  mock("location", { reload: () => reloads++ });
  mock("BroadcastChannel", class { addEventListener = (_: string, f: (event: { data: Said }) => void): void => void hear.push(f); });
  mock("fetch", async () => {
    if (served === undefined) throw new TypeError("Failed to fetch");
    return new Response(JSON.stringify(served));
  });
});

/** begun has looked at what there is. */
async function begun(): Promise<Shell> {
  const shell = new Shell(() => undefined, () => undefined);
  shell.begin(navigator);
  for (let n = 0; n < 20; n++) await new Promise((done) => setTimeout(done, 1));
  return shell;
}

test("the first start installs what the server has, later ones nothing", async () => {
  assert.deepEqual((await begun()).build, { hash: "", next: "", kept: "yes", why: "" }, "it came from the server");
  container.controller = { scriptURL: active };
  assert.deepEqual((await begun()).build, { hash: a, next: "", kept: "yes", why: "" });
  assert.deepEqual(installed, [`/sw-${a}.js`]);
});

test("another build is offered, and installed by the person's word only", async () => {
  active = script(a);
  served = { worker: `/sw-${b}.js` };
  const shell = await begun();
  assert.deepEqual([shell.build.next, installed, reloads], [b, [], 0]);
  whys = { [b]: "no room" };
  await assert.rejects(shell.update(), /this version stays.*no room/);
  assert.deepEqual([active, reloads], [script(a), 0]);
  whys = {};
  await shell.update();
  assert.deepEqual([active, reloads], [script(b), 1]);
});

test("a worker of before builds had hashes is replaced", async () => {
  active = "https://app.example/sw.js";
  await begun();
  assert.equal(active, script(a));
});

test("what cannot be kept is said; without a server what is kept stays", async () => {
  whys = { [a]: "no room is left on this phone" };
  assert.deepEqual((await begun()).build, { hash: "", next: "", kept: "no", why: "no room is left on this phone" });
  [whys, served] = [{}, undefined];
  assert.deepEqual((await begun()).build, { hash: "", next: "", kept: "yes", why: "" });
  active = "";
  assert.deepEqual((await begun()).build, { hash: "", next: "", kept: "no", why: "Failed to fetch" });
});

test("a server that names something else offers nothing", async () => {
  active = script(a);
  for (served of [{}, { worker: "https://evil.example/x.js" }, { worker: `/sw-${b}.js?x` }, { worker: "/sw-BBBBBBBBBBBBBBBB.js" }, [], 7]) {
    assert.equal((await begun()).build.next, "", JSON.stringify(served));
  }
  assert.deepEqual(installed, []);
});
