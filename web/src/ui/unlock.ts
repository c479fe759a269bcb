// "Continue lease": a rule allows the request, but its key is locked.
import { t } from "../text/en.ts";
import type { Ui } from "./context.ts";
import { type Child, type Node, h } from "./dom.ts";
import { icon } from "./icon.ts";
import { notMe } from "./lock.ts";
import { at, button, outside } from "./parts.ts";
import { heading, sheet } from "./sheet.ts";
import type { Unlock } from "./view.ts";
import { clock, left } from "./when.ts";

export function unlockId(u: Unlock): string {
  return `unlock ${u.pairing} ${u.request}`;
}

/** goal is where the computer goes on: root@server. */
export function goal(u: Unlock): Child {
  if (!u.rule || u.rule.scope !== "host") return t.unlock.anyHost;
  return [outside(u.rule.user, 32), at(), outside(u.rule.name || u.rule.hostKey, 48)];
}

export function unlockSheet(ui: Ui): Node | null {
  const u = ui.view.unlocks.find((x) => !ui.state.aside.has(unlockId(x)));
  if (!u) return null;
  const id = unlockId(u);
  const ready = (): boolean => ui.arm.ready(id);
  const aside = (): void => ui.change((s) => s.aside.add(id));
  const guarded = (act: () => Promise<void>) => ({ id, run: async () => {
    if (ready()) await act();
  } });
  return sheet({ key: "unlock", class: ready() ? "over" : "over arming", label: "unlock-title", close: aside, closes: t.putAway },
    h("div", { class: "big good" }, icon("key")),
    heading("unlock-title", id, t.unlock.title),
    h("p", { class: "center" }, t.unlock.goesOn(outside(u.computer, 32)), " ", h("strong", {}, goal(u))),
    h("p", { class: "center dim" }, u.rule && t.unlock.until(clock(u.rule.until)), " ", t.unlock.locked(outside(u.keyName, 32)), " ", t.unlock.left(left(u.expires - ui.now))),
    h("footer", {},
      h("div", { class: "answer" },
        button(ui, t.unlock.notNow, guarded(() => ui.actions.refuseUnlock(u))),
        button(ui, t.unlock.go, guarded(() => ui.actions.unlock(u)), { class: "primary" })),
      notMe(ui, u, id, ready, "text")));
}
