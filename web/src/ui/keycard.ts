// One SSH key: what it is, and how its public half gets to servers.
import { t } from "../text/en.ts";
import type { Key } from "../kept.ts";
import { type Ui, toggle } from "./context.ts";
import { type Child, type Node, h } from "./dom.ts";
import { icon } from "./icon.ts";
import { button, fingerprint, outside } from "./parts.ts";
import { heading, sheet } from "./sheet.ts";

/** keyCard shows a key with its public line. With more, it leads to the key's page. */
export function keyCard(ui: Ui, key: Key, more = true): Node {
  const line = `line ${key.fingerprint}`;
  const open = ui.state.open.has(line);
  return h("article", { class: "keycard", key: key.fingerprint },
    h("div", { class: "head" }, icon("key"),
      h("div", {}, h("h3", {}, outside(key.name, 48)), h("p", { class: key.kind === "plain" ? "kind warn" : "kind" }, t.kind[key.kind].says))),
    fingerprint(key.fingerprint),
    h("div", { class: "buttons three" },
      button(ui, t.key.copy, { id: `copy ${line}`, run: async () => {
        await ui.actions.copy(key.line);
        ui.say(t.key.copied);
      } }, { icon: "copy" }),
      button(ui, t.key.share, { id: `share ${line}`, run: () => ui.actions.share(key.line) }, { icon: "share" }),
      button(ui, t.key.qr, { id: `qr ${key.fingerprint}`, run: async () => {
        const rows = await ui.actions.qr(key.line);
        ui.change((s) => (s.code = { of: key.fingerprint, rows }));
      } }, { icon: "qr" })),
    h("div", { class: "more" },
      button(ui, open ? t.key.hideLine : t.key.showLine, () => toggle(ui, line), { class: "text", expanded: open }),
      more && button(ui, t.keyPage.manage, () => ui.go({ name: "key", fingerprint: key.fingerprint }), { class: "text" })),
    open && h("p", { class: "code line", tabindex: 0 }, outside(key.line, 4096)));
}

/** qrSheet shows the public line of the key whose code was opened. */
export function qrSheet(ui: Ui): Node | null {
  const shown = ui.state.code;
  const key = ui.view.keys.find((k) => k.fingerprint === shown?.of);
  if (!key || !shown) return null;
  const close = (): void => ui.change((s) => (s.code = null));
  return sheet(ui, { key: "qr", arms: "qr", class: "over", label: "qr-title", close }, (ui) => [
    heading("qr-title", key.fingerprint, outside(key.name, 48)),
    h("p", { class: "center dim" }, t.key.qrSays),
    code(shown.rows),
    h("footer", {}, button(ui, t.close, close, { class: "plain wide" })),
  ]);
}

// Black on white in every theme, with the quiet zone that readers want.
function code(rows: string[]): Child {
  const quiet = 4;
  const size = rows.length + 2 * quiet;
  const dark = rows.flatMap((r, y) => Array.from(r, (c, x) => (c === "#" ? `M${x + quiet} ${y + quiet}h1v1h-1z` : ""))).join("");
  return h("div", { class: "qr" }, h("svg", { viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": t.key.qrLabel, "shape-rendering": "crispEdges" }, h("path", { d: dark })));
}
