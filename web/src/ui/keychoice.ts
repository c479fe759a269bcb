// How a new key is kept: the strongest first, weaker ones said to be so.
import { t } from "../text/en.ts";
import type { Kind } from "../kept.ts";
import { type Ui, toggle } from "./context.ts";
import { type Child, h } from "./dom.ts";
import { button, note } from "./parts.ts";
import { NoPRF } from "./view.ts";

const field = "key-name";

/** keyChoices asks for a name and makes a key: make does it. */
export function keyChoices(ui: Ui, label: string, initial: string, make: (kind: Kind, name: string) => Promise<void>): Child {
  if (ui.state.canWrap === undefined && !ui.state.busy.has("can wrap")) {
    ui.state.busy.add("can wrap");
    ui.actions.canWrap().then(
      (can) => ui.change((s) => (s.canWrap = can)),
      () => ui.change((s) => (s.canWrap = false)),
    );
  }
  const act = (kind: Kind) => ({
    id: `make ${kind}`,
    run: async () => {
      const input = document.getElementById(field);
      const name = (input instanceof HTMLInputElement ? input.value.trim() : "") || initial;
      try {
        await make(kind, name);
      } catch (err) {
        if (!(err instanceof NoPRF)) throw err;
        ui.change((s) => (s.noPRF = true)); // said below, with what can be done
      }
    },
  });
  const { noPRF } = ui.state;
  const none = ui.state.canWrap === false;
  const more = ui.state.open.has("more kinds");
  return [
    h("label", { for: field }, label),
    h("input", { id: field, key: field, value: initial, maxlength: 64, autocomplete: "off" }),
    !none && !noPRF && [
      button(ui, t.kind.wrapped.make, act("wrapped"), { class: "primary wide", icon: "key", key: "wrapped" }),
      h("p", { class: "dim small center", key: "wrapped" }, t.kind.wrapped.why),
    ],
    (none || noPRF) && note("warn", "alert", h("p", {}, none ? t.kind.plain.noPasskeys : t.kind.plain.noPRF), h("p", {}, t.kind.plain.why),
      button(ui, t.kind.plain.make, act("plain"), { class: "plain wide", key: "plain" }),
      noPRF && button(ui, t.kind.wrapped.again, act("wrapped"), { class: "text wide", key: "again" })),
    !none && h("div", { class: "choice", key: "more" },
      button(ui, t.kind.more, () => toggle(ui, "more kinds"), { class: "text", expanded: more }),
      more && [h("p", { class: "dim" }, t.kind.passkey.why), button(ui, t.kind.passkey.make, act("passkey"), { class: "plain wide" })]),
  ];
}
