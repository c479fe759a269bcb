// A part of a screen, drawn without a browser.
import assert from "node:assert/strict";
import { actions, full, now } from "../gallery/fakes.ts";
import { Arm } from "../src/ui/arm.ts";
import { type Ui, newState } from "../src/ui/context.ts";
import { type Child, type Node, h } from "../src/ui/dom.ts";
import type { View } from "../src/ui/view.ts";

/** part draws a part of a screen: its words, its buttons by their words, and what was asked for. */
export function part(draw: (ui: Ui) => Child, over: Partial<View>): { words: string; press(words: string): void; calls: unknown[][] } {
  const calls: unknown[][] = [];
  const no = (): never => assert.fail("not wanted here");
  const run = (_id: string, action: () => Promise<void>): void => void action();
  const drawn = h("main", {}, draw({ view: { ...full, ...over }, actions: actions(calls, {}), state: newState(), now, arm: new Arm(() => undefined), run, redraw: no, change: no, say: no, go: no, back: no }));
  const words = (n: Node): string => n.text + n.kids.map(words).join("");
  const all = (n: Node): Node[] => [n, ...n.kids.flatMap(all)];
  const press = (what: string): void => {
    const found = all(drawn).find((n) => n.tag === "button" && words(n).startsWith(what));
    assert.ok(found?.props.onclick, `no button says ${what}`);
    found.props.onclick(new Event("click"));
  };
  return { words: words(drawn), press, calls };
}
