// A pairing by a link always has a way out, and goes on when the network does.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Board } from "../src/board.ts";
import type { Effect, Event, Invitation } from "../src/core.d.ts";
import { Opening } from "../src/opening.ts";
import { fakePhone, json } from "./fakes.ts";
import { house, listen, put, send } from "./loop.ts";

const says = (kind: "Opened" | "NoHello"): Effect => ({ type: "Note", pairing: "p", computer: "", kind, err: "", rule: "" });

function desk(handle: (event: Event) => Promise<void>) {
  const board = new Board();
  const [posted, met]: [Event[], string[]] = [[], []];
  const core = { ...fakePhone(() => []), parseLink: (link: string): Invitation => ({ app: "", relay: link.includes("air") ? "" : "https://r.example", region: "", account: "" }) };
  const post = async (event: Event): Promise<void> => {
    posted.push(event);
    await handle(event);
  };
  const opening = new Opening(board, () => core, post, async (pairing) => void met.push(pairing), { changed: () => undefined, note: (err) => assert.fail(String(err)) });
  return { board, opening, posted, met };
}

const told = (board: Board, ...effects: Effect[]): void => effects.forEach((e) => e.type === "Note" && board.show(e));

test("whatever fails after the core has the pairing, Stop ends that one", async () => {
  const { board, opening, posted } = desk(async (event) => {
    if (event.type === "OpenLink") told(board, says("Opened"));
    if (event.type === "OpenLink") throw new Error("offline");
  });
  await opening.openLink("link");
  await assert.rejects(opening.pair(), /offline/);
  told(board, says("NoHello"));
  assert.deepEqual([board.pairing?.step, board.pairing?.id, board.pairing?.slow], ["waiting", "p", true]);
  opening.drop();
  assert.equal(board.pairing, null);
  assert.deepEqual(posted.at(-1), { type: "Unpair", pairing: "p" });
});

test("Stop puts away a link of which the core knows nothing", async () => {
  const { board, opening, posted } = desk(async () => { throw new Error("the disk is full"); });
  await opening.openLink("link");
  await assert.rejects(opening.pair(), /full/);
  assert.equal(board.pairing?.step, "waiting");
  opening.drop();
  assert.equal(board.pairing, null);
  assert.deepEqual(posted.map((e) => e.type), ["OpenLink"]);
});

test("a link that is opened once more is the pairing that there is", async () => {
  const { board, opening, met } = desk(async (event) => {
    if (event.type === "OpenLink") told(board, says("Opened"));
  });
  for (let i = 0; i < 2; i++) {
    await opening.openLink("by air");
    await opening.pair();
    assert.equal(board.pairing?.id, "p");
  }
  assert.deepEqual(met, ["p", "p"]);
});

const turns = async (done: () => boolean): Promise<void> => {
  for (const end = performance.now() + 60_000; !done(); await new Promise((resolve) => setImmediate(resolve))) assert.ok(performance.now() < end);
};

function offline(t: TestContext, effects: Effect[]) {
  let [online, tries] = [false, 0];
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const h = house((e) => (e.type === "OpenLink" ? [put("a"), ...effects] : e.type === "Unpair" ? [{ ...listen, type: "Close" }] : []), async () => undefined, undefined, (url) => {
    if (url.endsWith("/frames")) return h.done.push("sent"), json(202, {});
    tries++;
    if (!online) return Promise.reject(new TypeError("Failed to fetch"));
    return h.done.push("asked"), json(200, { frames: [], deleted: true });
  });
  return { h, tries: () => tries, back: () => (online = true) };
}

test("a mailbox that cannot be opened is tried again, and the first word waits for it, but nothing else", async (t) => {
  const { h, tries, back } = offline(t, [says("Opened"), listen, send, says("NoHello")]);
  await h.runner.post({ type: "OpenLink", link: "" });
  await turns(() => tries() === 1);
  assert.deepEqual(h.done, ["Start", "OpenLink", "stored a", "shown Note", "shown Note"]);
  await h.runner.post({ type: "Tick" });
  back();
  await turns(() => {
    t.mock.timers.tick(50); // the pause may not have begun yet
    return tries() > 1;
  });
  await turns(() => h.done.includes("sent"));
  assert.deepEqual(h.done.slice(5, 8), ["Tick", "asked", "sent"]);
  h.end.abort();
  await h.running;
});

test("a pairing that is given up meanwhile is not tried any more", async (t) => {
  const { h, tries, back } = offline(t, [listen, send]);
  await h.runner.post({ type: "OpenLink", link: "" });
  await turns(() => tries() === 1);
  back();
  await h.runner.post({ type: "Unpair", pairing: "p" });
  await h.runner.posted();
  t.mock.timers.tick(60_000);
  await h.runner.posted();
  assert.deepEqual(h.done.slice(3), ["Unpair", "asked"], "only the mailbox's end");
  h.end.abort();
  await h.running;
});
