// The gallery: every screen with made-up Views, for pictures and for tests. Not shipped.
import { mount } from "../src/ui/ui.ts";
import type { View } from "../src/ui/view.ts";
import { actions, now } from "./fakes.ts";
import { attacked, poison } from "./poison.ts";
import { screens } from "./screens.ts";

declare global {
  interface Window {
    gallery: { names: string[]; calls: unknown[][]; view: View; show(change: Partial<View>): void; fail(text: string): void; poison(): Promise<{ faults: string[]; shown: number }> };
  }
}

Date.now = () => now;

const calls: unknown[][] = [];
const violations: string[] = [];
document.addEventListener("securitypolicyviolation", (e) => violations.push(`${e.effectiveDirective} ${e.sample}`));
const name = new URLSearchParams(location.search).get("screen") ?? "home";
const screen = screens[name];
const root = document.getElementById("app");
if (!root || !screen) throw new Error(`no screen ${name}`);

const acts = actions(calls, screen.actions ?? {});
const ui = mount(root, acts);
window.gallery = {
  names: Object.keys(screens), calls, view: screen.view,
  fail: (text) => (acts.copy = () => Promise.reject(new Error(text))),
  // Attacks in all texts of the View that is shown: what came of them, and in how many drawings one was to be read.
  poison: async () => {
    const [faults, before] = [new Set<string>(), window.gallery.view];
    let shown = 0;
    for (const [n, ids] of [[0, false], [1, false], [2, true], [3, true], [4, false]] as const) {
      window.gallery.show(poison(before, n, ids));
      await new Promise((done) => setTimeout(done)); // for what an element would do
      if (document.body.textContent.includes("pwned=1")) shown++;
      for (const f of attacked(violations)) faults.add(f);
    }
    return { faults: [...faults], shown };
  },
  show: (change) => ui.show((window.gallery.view = { ...window.gallery.view, ...change })),
};
ui.show(screen.view);

/** press presses what has these words, as a person would. */
async function press(words: string): Promise<void> {
  const all = Array.from(document.querySelectorAll<HTMLElement>("button, input[type=checkbox]"));
  const el = all.find((b) => `${b.getAttribute("aria-label") ?? ""} ${b.textContent} ${b.closest("label")?.textContent ?? ""}`.includes(words));
  if (!el) throw new Error(`nothing says ${words}`);
  el.click();
  await new Promise((done) => setTimeout(done, 20));
}

for (const words of screen.press ?? []) {
  if (words === "wait") await new Promise((done) => setTimeout(done, 600));
  else await press(words);
}
if (screen.type) {
  const [field, text] = screen.type;
  const input = document.querySelector<HTMLInputElement>(field);
  if (!input) throw new Error(`there is no ${field}`);
  input.value = text;
  input.dispatchEvent(new Event("input", { bubbles: true }));
}
if (screen.then) window.gallery.show(screen.then);
document.documentElement.dataset["ready"] = name;
