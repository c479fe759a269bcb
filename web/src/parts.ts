// What a phone at work shows.
import type { Air } from "./air.ts";
import type { Board } from "./board.ts";
import type { Keyring } from "./keyring.ts";
import type { Ringing } from "./ringing.ts";
import type { Started } from "./start.ts";
import type { View } from "./ui/view.ts";
import type { Unlocks } from "./unlocks.ts";

/** Parts is a View without what only the page knows. */
export type Parts = Omit<View, "phase" | "why" | "cause" | "home" | "build" | "theme" | "lost" | "troubles" | "install">;

export function parts(at: Started<Keyring> | undefined, board: Board, unlocks: Unlocks, { push, choices }: Ringing, air: Air, note: (err: unknown) => void): Parts {
  const computers = at?.core.computers().filter((c) => c.live) ?? [];
  const pairings = [board.pairing?.id ?? "", ...computers.map((c) => c.pairing)];
  return {
    ...board.view(),
    ...choices,
    push,
    name: at?.name() ?? "",
    keys: at?.keys.list() ?? [],
    computers,
    channels: Object.fromEntries(pairings.map((p) => [p, [...(at?.runner.channels(p) ?? []), ...air.channels(p)]])),
    air: air.show(pairings),
    untold: at?.core.untold() ?? [],
    unlocks: unlocks.list(),
    rules: at?.core.rules(Date.now()) ?? [],
    pins: at?.core.pins() ?? [],
    strange: at?.core.strange() ?? [],
    log: log(at, note),
  };
}

function log(at: Started<Keyring> | undefined, note: (err: unknown) => void): View["log"] {
  try {
    return at?.log.newest() ?? [];
  } catch (err) {
    note(err);
    return [];
  }
}

/** keepOpen keeps keys open as long as the longest rule that uses them. */
export function keepOpen({ core, keys }: Started<Keyring>): void {
  const rules = core.rules(Date.now());
  for (const { fingerprint } of keys.list()) {
    keys.keep(fingerprint, Math.max(0, ...rules.filter((r) => r.key === fingerprint).map((r) => r.until)));
  }
}
