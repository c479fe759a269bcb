// What the app has to say: grave messages stay on top, others pass.
import { t } from "../text/en.ts";
import type { Ui } from "./context.ts";
import { type Child, h } from "./dom.ts";
import { endedToasts } from "./ended.ts";
import { icon } from "./icon.ts";
import { button, outside } from "./parts.ts";

const maxText = 240; // characters of a message; names in it may be long

/** banners are grave messages and errors: they stay until dismissed. */
export function banners(ui: Ui): Child {
  const box = (key: string, text: string, todo: string, dismiss: () => void, understood: Child = null): Child =>
    h("div", { key, class: "note danger", role: "alert" }, icon("alert"),
      h("div", {}, h("p", {}, outside(text, maxText)), todo && h("p", {}, outside(todo, maxText)), understood),
      h("button", { type: "button", class: "bare", "aria-label": t.dismiss, onclick: dismiss }, icon("close")));
  return [
    ui.state.errors.map((e) => box(`error ${e.id}`, capital(e.text), "", () => ui.change((s) => (s.errors = s.errors.filter((x) => x.id !== e.id))))),
    ui.view.messages.filter((m) => m.grave).map((m) => box(`message ${m.id}`, m.text, m.do, () => ui.actions.dismiss(m),
      m.returns && button(ui, t.understood, { id: `acknowledge ${m.id}`, run: () => ui.actions.acknowledge(m) }, { class: "plain" }))),
  ];
}

/** capital begins a sentence. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** toasts are at the lower edge. Those that want something to be done wait for the person. */
export function toasts(ui: Ui): Child {
  return h("div", { class: "toasts", role: "status" },
    endedToasts(ui),
    ui.view.messages.filter((m) => !m.grave).slice(-3).map((m) =>
      h("div", {
        key: `message ${m.id}`, class: "toast",
        mounted: (_el, gone) => {
          if (m.do) return;
          const timer = setTimeout(() => ui.actions.dismiss(m), 6000);
          gone.addEventListener("abort", () => clearTimeout(timer));
        },
      },
      h("p", {}, outside(m.text, maxText), m.do && h("span", { class: "sub" }, outside(m.do, maxText))),
      h("button", { type: "button", class: "bare", "aria-label": t.dismiss, onclick: () => ui.actions.dismiss(m) }, icon("close")))),
    ui.state.said && h("div", { class: "toast", key: "said" }, icon("check", "good"), h("p", {}, ui.state.said)));
}
