// What the browser promises about the storage, and how much there is.
import { t } from "../text/en.ts";
import type { Room } from "./care.ts";
import type { Ui } from "./context.ts";
import { type Child, h } from "./dom.ts";
import { button, list, note, row, section } from "./parts.ts";

const tight = 0.9; // of the quota

export function roomSettings(ui: Ui): Child {
  const { room } = ui.state;
  const set = (next: Room): void => ui.change((s) => (s.room = next));
  const { upkeep: words } = t;
  const ask = async (): Promise<void> => {
    const next = await ui.actions.keepRoom();
    set(next);
    if (!next.kept) throw new Error(words.refused);
  };
  return h("div", { mounted: () => ui.run("room", async () => set(await ui.actions.room())) }, room && section(words.room,
    list(row(room.kept ? words.kept : words.loose, { icon: room.kept ? "check" : "alert", tone: room.kept ? "good" : "warn", sub: [room.kept ? words.keptSays : words.looseSays, " ", words.used(words.bytes(room.used), words.bytes(room.quota)), "."] }),
      !room.kept && h("li", { key: "keep" }, button(ui, words.ask, { id: "keep", run: ask }, { class: "text wide" }))),
    room.quota > 0 && room.used > tight * room.quota && note("warn", "alert", words.full)));
}
