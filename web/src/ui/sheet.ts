// Sheets: modal dialogs at the bottom edge, or over everything.
import { t } from "../text/en.ts";
import type { Ui } from "./context.ts";
import { type Child, type Node, h } from "./dom.ts";

interface SheetOptions {
  key: string;
  arms: string; // what is shown: no action of the sheet runs before that could be seen
  class?: string;
  role?: "dialog" | "alertdialog";
  label: string; // id of the heading
  /** close puts the sheet away and decides nothing: Escape and a tap beside it do that too. */
  close: (() => void) | undefined;
  closes?: string; // what that is called
}

/** sheet keeps focus inside. Its heading gets the first focus, so that Enter presses nothing. content is drawn with a Ui that runs nothing for a moment. */
export function sheet(ui: Ui, o: SheetOptions, content: (ui: Ui) => Child): Node {
  const ready = (): boolean => ui.arm.ready(o.arms);
  const run: Ui["run"] = (id, action) => {
    if (ready()) ui.run(id, action);
  };
  return h(
    "dialog",
    {
      key: o.key, class: `sheet ${o.class ?? ""}${ready() ? "" : " arming"}`, role: o.role ?? "dialog", "aria-labelledby": o.label,
      mounted: (el, gone) => {
        if (!(el instanceof HTMLDialogElement)) return;
        el.showModal();
        el.querySelector<HTMLElement>("[autofocus]")?.focus();
        gone.addEventListener("abort", () => el.close()); // gives the focus back
      },
      oncancel: (event) => {
        event.preventDefault();
        o.close?.();
      },
      // A browser may insist on closing at the second Escape.
      onclose: (event) => {
        const el = event.target;
        if (!(el instanceof HTMLDialogElement) || !el.isConnected || el.open) return;
        if (o.close) o.close();
        else el.showModal();
      },
      onclick: (event) => {
        if (event.target === event.currentTarget) o.close?.();
      },
    },
    h("div", { class: "inner" },
      o.close && h("button", { type: "button", class: "handle", "aria-label": o.closes ?? t.close, onclick: o.close }),
      content({ ...ui, run })),
  );
}

/** heading names a sheet. key tells one subject from the next, so that the focus goes to each. */
export function heading(id: string, key: string, ...children: Child[]): Node {
  return h("h1", { id, key, tabindex: -1, autofocus: true, mounted: (el) => el.focus() }, children);
}
