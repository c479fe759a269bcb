// Requests that ended: by an answer, by the computer, or by time.
import { t } from "../text/en.ts";
import type { Ui } from "./context.ts";
import { type Child, type Node, h } from "./dom.ts";
import { cardId } from "./group.ts";
import { icon } from "./icon.ts";
import { button, outside } from "./parts.ts";
import { heading, sheet } from "./sheet.ts";
import { subject } from "./subject.ts";
import type { Ended } from "./view.ts";
import { seconds } from "./when.ts";

/** answered reports whether the person knows already: such a card needs but a short word. */
function answered(e: Ended): boolean {
  return e.why === "answered" || e.why === "rejected";
}

const where = (e: Ended): Child => subject(e.card, 24, 32);

/** endedSheet takes the place of a card that ended while it was looked at. */
export function endedSheet(ui: Ui): Node | null {
  const e = ui.view.ended.find((x) => !answered(x) && cardId(x.card) === ui.state.current);
  if (!e || e.why === "answered" || e.why === "rejected") return null;
  const close = (): void => ui.actions.dismiss(e);
  const { title, says } = t.ended[e.why];
  return sheet(ui, { key: "card", arms: `${cardId(e.card)} ended`, class: "over", label: "ended-title", close }, (ui) => [
    h("div", { class: "big dim" }, icon(e.why === "expired" ? "clock" : e.why === "locked" ? "lock" : "close")),
    heading("ended-title", `${cardId(e.card)} ended`, title),
    h("p", { class: "center" }, where(e)),
    h("p", { class: "center dim" }, says(outside(e.card.computer, 32))),
    h("footer", {}, button(ui, t.close, close, { class: "plain wide" })),
  ]);
}

/** lastAnswer is said above the next card, which hides the toasts. */
export function lastAnswer(ui: Ui): Child {
  const e = ui.view.ended.findLast(answered);
  if (!e || (e.why !== "answered" && e.why !== "rejected")) return null;
  return h("p", { class: "last", role: "status" }, icon(e.why === "answered" ? "check" : "no"), h("span", {}, t.ended[e.why].title, ": ", where(e)));
}

/** endedToasts say in a line what became of a request. Answers go away by themselves. */
export function endedToasts(ui: Ui): Child {
  return ui.view.ended.slice(-3).map((e) => {
    const id = `${cardId(e.card)} ${e.why}`;
    const goes = answered(e);
    const close = (): void => ui.actions.dismiss(e);
    const good = e.why === "answered";
    return h("div", {
      key: id, class: "toast",
      mounted: (_el, gone) => {
        if (!goes) return;
        const timer = setTimeout(close, 4000);
        gone.addEventListener("abort", () => clearTimeout(timer));
      },
    },
    icon(good ? "check" : e.why === "locked" ? "lock" : e.why === "rejected" || e.why === "failed" ? "no" : "clock", good ? "good" : ""),
    h("p", {}, h("strong", {}, t.ended[e.why].title), good && ` · ${t.ended.took(seconds(e.took))}`, h("span", { class: "sub" }, where(e))),
    !goes && h("button", { type: "button", class: "bare", "aria-label": t.dismiss, onclick: close }, icon("close")));
  });
}
