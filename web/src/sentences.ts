// What the core's notes are called for people.
import type { Note } from "./core.d.ts";

export interface Sentence {
  grave: boolean;
  text: string;
  do: string; // what to do next, or ""
}

/** sentence is null for what a screen shows by itself. computer is cleaned by whoever shows it. */
export function sentence({ kind, computer, err }: Note): Sentence | null {
  const name = computer || "The computer";
  switch (kind) {
    case "BadLink": return { grave: false, text: `This is no link to pair with: ${err}`, do: "Run kr pair on the computer and scan its code." };
    case "TooLate": return { grave: false, text: "The code's time is over. Nothing was paired.", do: "Run kr pair again: a code lives for five minutes." };
    case "Refused": return { grave: false, text: `${name} was not paired: one side said no, or kr pair was ended.`, do: "If the words differed, scan a new code of kr pair." };
    case "Live": return { grave: false, text: `${name} uses this phone now.`, do: "" };
    case "Unpaired": return { grave: false, text: `${name} is not paired any more.`, do: "The public key still stands on your servers: take it off there if you want to." };
    case "Told": return { grave: false, text: `${name} knows that it is unpaired.`, do: "" };
    case "Skew": return { grave: false, text: `A request of ${name} was refused: the clocks do not agree.`, do: "Check date and time here and there." };
    case "LogDamaged": return { grave: true, text: `The record of what this phone signed was damaged and is begun anew: ${err}`, do: "Compare with kr log on your computers." };
    case "Unheard": return { grave: false, text: `${name} had stopped waiting: what you allowed last came too late.`, do: "Log in there again. Was this phone offline?" };
    case "Untrusted": return { grave: true, text: `No host key was pinned: ${err}.`, do: "" };
    case "NoHello": case "Paired": case "Signed": case "Opened": return null;
  }
}
