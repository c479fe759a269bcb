// The web phone starts here.
import "wasm_exec";
import { App } from "./app.ts";
import { Arrival } from "./arrival.ts";
import { Badge } from "./badge.ts";
import { serve } from "./errands.ts";
import { NoStore } from "./idb.ts";
import { Keyring } from "./keyring.ts";
import { Traces } from "./localnotes.ts";
import { Install } from "./install.ts";
import { home, openedLink, persist } from "./place.ts";
import { Turn } from "./locks.ts";
import { Shell } from "./shell.ts";
import { start } from "./start.ts";
import { show as showTheme, theme } from "./theme.ts";
import { mount } from "./ui/ui.ts";
import type { Trouble } from "./ui/care.ts";
import type { View } from "./ui/view.ts";
import { compile } from "./wasm.ts";

const opened = openedLink(); // first of all
const root = document.getElementById("app");
if (!root) throw new Error("the page has no place for the app");

const end = new AbortController();
const core = compile(fetch(PHONE_WASM, { signal: end.signal }), end.signal); // at once: it takes longest
core.catch(() => undefined); // awaited in start
let phase: View["phase"] = "loading";
let why = "";
let cause: View["cause"] = "app";
let drawn = false;
let troubles: Trouble[] = [];
const traces = new Traces();
const note = (err: unknown): void => {
  if (end.signal.aborted) return;
  console.warn(err);
  troubles = [...troubles, { at: Date.now(), text: message(err) }].slice(-20);
};
const turn = new Turn();
const shell = new Shell(changed, note);
const install = new Install(changed);
const badge = new Badge(navigator);
const app = new App({ update: () => shell.update(), look: () => shell.look(), install: () => install.run(), qrWasm: QR_WASM, icon: ICON, changed, note, restart: () => (phase === "busy" ? turn.take() : location.reload()) });
showTheme();
root.replaceChildren(); // what the page said before
const ui = mount(root, app);

function message(err: unknown): string {
  return err instanceof Error ? err.message : String(err);
}

// changed draws once for all that happens in one turn.
function changed(): void {
  if (drawn) return;
  drawn = true;
  queueMicrotask(() => {
    drawn = false;
    const parts = app.parts();
    const lost = phase === "ready" && traces.lost(parts.keys.length);
    ui.show({ ...parts, phase, why, cause, home: home(), build: shell.build, theme: theme(), lost, troubles, install: install.offered });
  });
}

function become(p: View["phase"], because = ""): void {
  [phase, why] = [p, because];
  changed();
  if (p !== "loading") setTimeout(() => shell.begin(navigator), 500); // after the first screen; also when the phone does not start: an update may mend it
}

// work is the phone, while it is this tab's turn. Each turn begins from the store.
async function work(signal: AbortSignal): Promise<void> {
  become("loading");
  const turn = new AbortController();
  const life = AbortSignal.any([signal, turn.signal]);
  try {
    const starting = start({
      wasm: core,
      keys: (core, db, kept) => new Keyring(core, db, (what, end) => app.ask(what, end), kept),
      show: (what) => {
        badge.show(what);
        app.show(what);
      },
      subscribe: app.ringing.subscribe,
      nearby: app.air,
      changed,
      note,
    }, life);
    serve(async (errand) => {
      await starting;
      await app.errand(errand, life);
    }, note, life);
    const phone = await starting;
    if (phone.keys.list().length > 0) persist().catch(note);
    traces.begin();
    badge.clear();
    app.begin(phone, life);
    become("ready");
    links.came();
    await phone.runner.run();
  } finally {
    phase = "loading"; // not one without keys
    app.end();
    turn.abort(); // closes the storage
  }
}

const links = new Arrival(() => phase === "ready", (link) => {
  app.openLink(link).catch((err: unknown) => {
    app.board.say({ grave: true, text: message(err), do: "" });
    changed();
  });
});
links.came(opened);

addEventListener("pagehide", () => badge.clear()); // nobody counts any more
addEventListener("hashchange", () => links.came(openedLink()));
changed();
turn.run(work, () => become("busy"), end.signal).catch((err: unknown) => {
  if (err instanceof NoStore) cause = "storage";
  become("dead", message(err));
  end.abort(err);
});
