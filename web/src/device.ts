// What this device is called.
import { t } from "./text/en.ts";

/** Told is what a browser tells of its device. Client hints: Chromium only. */
export interface Told {
  userAgent: string;
  maxTouchPoints?: number; // not in workers
  userAgentData?: { getHighEntropyValues(hints: ["model"]): Promise<{ model?: string }> };
}

const known: [RegExp, string][] = [
  [/iPhone/, "iPhone"], [/iPad/, "iPad"], [/Android.*Mobile/, t.device.android], [/Android/, t.device.tablet],
  [/CrOS/, "Chromebook"], [/Mac/, "Mac"], [/Windows/, t.device.browser("Windows")], [/Linux/, t.device.browser("Linux")],
];

/** deviceName is what computers call this phone unless its owner says otherwise: its model, if that is a name and not a number. */
export async function deviceName({ userAgent, maxTouchPoints = 0, userAgentData }: Told): Promise<string> {
  const { model = "" } = (await userAgentData?.getHighEntropyValues(["model"]).catch(() => undefined)) ?? {};
  if (/\p{Ll}/u.test(model)) return model.slice(0, 64);
  const name = known.find(([sign]) => sign.test(userAgent))?.[1] ?? t.device.unknown;
  return name === "Mac" && maxTouchPoints > 1 ? "iPad" : name; // as iPads have it by default
}
