// No action of a sheet runs for a finger that was on its way to something else.
import assert from "node:assert/strict";
import { test } from "node:test";
import { card, now, pin, rule } from "../gallery/fakes.ts";
import { alarmSheet } from "../src/ui/alarm.ts";
import type { Arm } from "../src/ui/arm.ts";
import { cardSheet } from "../src/ui/card.ts";
import { unpairSheet } from "../src/ui/computers.ts";
import type { Ui } from "../src/ui/context.ts";
import type { Child } from "../src/ui/dom.ts";
import { forgetSheet } from "../src/ui/hosts.ts";
import { lockSheet } from "../src/ui/lock.ts";
import { unlockSheet } from "../src/ui/unlock.ts";
import type { View } from "../src/ui/view.ts";
import { part } from "./part.ts";

const open = (name: string, draw: (ui: Ui) => Child) => (ui: Ui): Child => {
  ui.state.open.add(name);
  return draw(ui);
};
const id = `${card.pairing} ${card.request}`;
const unlocks = [{ card: { ...card, expires: now + 1000 }, rule }];
const forwarded: View["alarms"] = [{ type: "Alarm", card, code: "forwarded", reason: "" }];

const sheets: [draw: (ui: Ui) => Child, over: Partial<View>, button: string, call: string][] = [
  [alarmSheet, { alarms: forwarded }, "Ask me from now on", "forward"],
  [cardSheet, { cards: [card] }, "Allow", "decide"],
  [open(`allow ${id}`, cardSheet), { cards: [card] }, "1 h", "decide"],
  [open(`more ${id}`, cardSheet), { cards: [card] }, "Not me: lock laptop", "lock"],
  [unlockSheet, { unlocks }, "Continue", "unlock"],
  [unlockSheet, { unlocks }, "Not me: lock laptop", "lock"],
  [open("lock p1", lockSheet), {}, "Lock", "lock"],
  [open("unpair p1", unpairSheet), {}, "Unpair", "unpair"],
  [open(`forget ${pin.name} ${pin.scope} ${pin.fingerprint}`, forgetSheet), {}, "Forget", "forgetHost"],
];

test("a sheet's actions run only once it could be seen", () => {
  for (const [draw, over, button, call] of sheets) {
    for (const ready of [false, true]) {
      const arm = { ready: () => ready } as unknown as Arm;
      const { press, calls } = part((ui) => draw({ ...ui, arm, change: (f) => f(ui.state), say: () => undefined, back: () => undefined }), over);
      press(button);
      assert.equal(calls[0]?.[0], ready ? call : undefined, `${button}, ${ready ? "seen" : "not seen"}`);
    }
  }
});
