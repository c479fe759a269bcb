// Times as people say them.
import type { Millis } from "../core.d.ts";
import { t } from "../text/en.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** left is a running time: "0:42", "12 min", "2 h 5 min". */
export function left(ms: Millis): string {
  const s = Math.max(0, Math.ceil(ms / 1000));
  if (s < 120) return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
  return span(s * 1000);
}

/** span is a time in words: "15 min", "3 h". */
export function span(ms: Millis): string {
  const min = Math.max(1, Math.round(ms / minute));
  const h = Math.floor(min / 60);
  if (h === 0) return t.min(min);
  return min % 60 === 0 ? t.hours(h) : `${t.hours(h)} ${t.min(min % 60)}`;
}

/** seconds is how long an answer took: "3.1 s". */
export function seconds(ms: Millis): string {
  return t.seconds((ms / 1000).toFixed(1));
}

const format = (options: Intl.DateTimeFormatOptions) => {
  const f = new Intl.DateTimeFormat(t.locale, options);
  return (at: Millis): string => f.format(new Date(at));
};

/** clock is "15:40". */
export const clock = format({ hour: "2-digit", minute: "2-digit", hour12: false });
const dayOfYear = format({ day: "numeric", month: "long" });
const dayAndYear = format({ day: "numeric", month: "long", year: "numeric" });

const weekdays = { short: format({ weekday: "short" }), long: format({ weekday: "long" }) };

/** weekday is "Sunday", or "Sun". */
export const weekday = (at: Millis, how: "short" | "long"): string => weekdays[how](at);

/** date is "3 May", with its year if that is another. */
export function date(at: Millis, now: Millis): string {
  return new Date(at).getFullYear() === new Date(now).getFullYear() ? dayOfYear(at) : dayAndYear(at);
}

/** dayName is "Today", "Yesterday" or a date. */
export function dayName(at: Millis, now: Millis): string {
  if (dayAndYear(at) === dayAndYear(now)) return t.today;
  return dayAndYear(at) === dayAndYear(now - day) ? t.yesterday : date(at, now);
}

/** ago is "just now", "5 min ago", "3 h ago" or a date. */
export function ago(at: Millis, now: Millis): string {
  if (at === 0) return t.never;
  const ms = now - at;
  if (ms < minute) return t.justNow;
  return ms < day ? t.ago(span(ms < hour ? ms : Math.floor(ms / hour) * hour)) : date(at, now);
}
