// What the screens know and do about the app itself: the log, room, looks.
import type { Chain, Millis } from "../core.d.ts";
import type { Entry } from "../entry.ts";

export type Theme = "system" | "light" | "dark";

/** A Trouble is an error that the app met and went on after. Its text may name anything. */
export interface Trouble { at: Millis; text: string }

/** Room is what the browser gives the app to store things. */
export interface Room {
  kept: boolean; // it deletes nothing by itself
  used: number; // bytes
  quota: number; // bytes that the app may use
}

/** Care is the part of Actions. */
export interface Care {
  history(): Promise<Entry[]>; // the whole log, newest first
  verifyLog(): Promise<Chain>;
  exportLog(): Promise<void>; // in the tap: as a file
  room(): Promise<Room>;
  keepRoom(): Promise<Room>; // asks the browser to delete nothing by itself
  setTheme(to: Theme): void;
  look(): Promise<boolean>; // whether there is another build
}
