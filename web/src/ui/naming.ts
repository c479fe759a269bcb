// A name that people may change.
import { t } from "../text/en.ts";
import type { Ui } from "./context.ts";
import { type Node, h } from "./dom.ts";
import { clean } from "./clean.ts";
import { text } from "./welcome.ts";

/** nameForm shows a name to be changed. id is among all forms. */
export function nameForm(ui: Ui, id: string, label: string, name: string, save: (name: string) => Promise<void>): Node {
  return h("form", {
    key: id, class: "inline",
    onsubmit: (event) => {
      event.preventDefault();
      const to = text(event, "name");
      if (to) ui.run(id, async () => {
        await save(to);
        ui.say(t.naming.saved);
      });
    },
  },
  h("label", { for: "name" }, label),
  h("div", { class: "field" },
    h("input", { id: "name", key: name, name: "name", value: clean(name.slice(0, 256)), maxlength: 64, autocomplete: "off", required: true }),
    h("button", { type: "submit", class: "plain", "aria-busy": ui.state.busy.has(id) ? "true" : undefined }, t.naming.save)));
}
