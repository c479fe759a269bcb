// Bluetooth with one computer: what it is good for or why it does not work, and a button.
import { t } from "../text/en.ts";
import type { Ui } from "./context.ts";
import { type Child, h } from "./dom.ts";
import { button, note, section } from "./parts.ts";

export function air(ui: Ui, pairing: string): Child {
  const a = ui.view.air[pairing];
  const tap = { id: `air ${pairing}`, run: () => ui.actions.bluetooth(pairing) };
  return a && section(t.channel.bluetooth,
    note("plain", "bluetooth", h("p", {}, a.says)), a.tap && button(ui, a.tap, tap, { class: "plain wide" }));
}
