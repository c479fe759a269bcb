// The screens of the phone. mount shows Views in root and calls actions.
import type { Millis } from "../core.d.ts";
import { t } from "../text/en.ts";
import { alarmSheet } from "./alarm.ts";
import { Arm } from "./arm.ts";
import { cardSheet } from "./card.ts";
import { type Page, type State, type Ui, newState } from "./context.ts";
import { type Child, tree } from "./dom.ts";
import { endedSheet } from "./ended.ts";
import { forgetSheet } from "./hosts.ts";
import { unpairSheet } from "./computers.ts";
import { deleteSheet } from "./key.ts";
import { qrSheet } from "./keycard.ts";
import { lockSheet } from "./lock.ts";
import { screen } from "./screen.ts";
import { unlockSheet } from "./unlock.ts";
import type { Actions, View } from "./view.ts";

const tick = 1000; // ms between drawings while a time runs
const saidFor = 3000; // ms that a short word of success stays

/** mount takes over root, once. */
export function mount(root: HTMLElement, actions: Actions): { show(view: View): void } {
  const draw = tree(root);
  const state = newState();
  let view: View | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let errors = 0;
  let drawing = false;
  let missed = false; // a drawing that was wanted during another
  const arm = new Arm(() => redraw());

  function redraw(): void {
    missed = drawing;
    if (!view || drawing) return;
    drawing = true;
    const now = Date.now();
    const ui = make(view, now);
    tidy(ui.view, state);
    const [had, title] = [document.activeElement, topmost()];
    draw([screen(ui), modal(ui)]);
    const lost = had !== document.body && !had?.isConnected;
    if (document.activeElement === document.body && (lost || topmost() !== title)) topmost()?.focus({ preventScroll: true });
    document.title = t.title(view.cards.length + view.unlocks.length);
    arm.drawn();
    drawing = false;
    if (missed) queueMicrotask(redraw);
    clearTimeout(timer);
    if (runs(view, now)) timer = setTimeout(redraw, tick - (now % tick));
  }

  // topmost is the title of what people see. It gets the focus of what went away,
  // and when another screen comes where nothing has it: so it is read out.
  function topmost(): HTMLElement | null {
    return root.querySelector<HTMLElement>("dialog[open] h1") ?? root.querySelector<HTMLElement>("h1");
  }

  function change(f: (s: State) => void): void {
    f(state);
    redraw();
  }

  function make(shown: View, now: Millis): Ui {
    return {
      view: shown, actions, state, now, arm, redraw, change,
      run: (id, action) => {
        if (state.busy.has(id)) return;
        change((s) => s.busy.add(id));
        action()
          .catch((err: unknown) => state.errors.push({ id: ++errors, text: err instanceof Error ? err.message : String(err) }))
          .finally(() => change((s) => s.busy.delete(id)));
      },
      say: (text) => {
        change((s) => (s.said = text));
        setTimeout(() => state.said === text && change((s) => (s.said = "")), saidFor);
      },
      go: (page) => {
        history.pushState({ page: state.pages.length + 1 }, "");
        state.scrolls[state.pages.length] = scrollY;
        change((s) => s.pages.push(page));
        scrollTo(0, 0);
      },
      back: () => {
        if (state.pages.length > 0) history.back();
      },
    };
  }

  addEventListener("popstate", () => {
    if (state.pages.length === 0) return;
    change((s) => s.pages.pop());
    scrollTo(0, state.scrolls[state.pages.length] ?? 0);
  });
  // A card that comes back into view may have changed while nobody looked.
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && arm.again());
  let blurred = false; // a first focus without a blur is this page's own
  addEventListener("blur", () => (blurred = true));
  addEventListener("focus", () => {
    if (blurred) arm.again();
    blurred = false;
  });

  return {
    show: (next) => {
      view = next;
      redraw();
    },
  };
}

// modal is the one dialog that is open: what is urgent first.
function modal(ui: Ui): Child {
  if (ui.view.phase !== "ready") return null;
  return alarmSheet(ui) ?? cardSheet(ui) ?? endedSheet(ui) ?? unlockSheet(ui) ?? qrSheet(ui) ?? unpairSheet(ui) ?? lockSheet(ui) ?? deleteSheet(ui) ?? forgetSheet(ui);
}

// tidy drops what the state says of things that are gone.
function tidy(view: View, state: State): void {
  if (view.cards.length + view.unlocks.length === 0) state.aside.clear();
  const p = view.pairing;
  if (!p) state.left.clear();
  const pairs = (page: Page | undefined): boolean => page?.name === "scan" || page?.name === "pair";
  while (p && pairs(state.pages.at(-1))) state.pages.pop(); // the steps go on there
}

/** runs reports whether something shown changes with time alone. */
function runs(view: View, now: Millis): boolean {
  return document.visibilityState === "visible" && (view.cards.length > 0 || view.unlocks.length > 0 || view.rules.some((r) => r.until > now));
}
