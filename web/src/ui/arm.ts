// Buttons that decide something are dead for a moment after they appeared or
// changed: a finger that was on its way to something else must not decide, and
// neither must a click that a page underneath made people aim here.
const settle = 500; // ms

export class Arm {
  private since = new Map<string, number>(); // by what is shown
  private asked = new Set<string>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly redraw: () => void;

  constructor(redraw: () => void) {
    this.redraw = redraw;
  }

  /** ready reports whether what subject names has been on the screen, unchanged, for long enough. */
  ready(subject: string): boolean {
    this.asked.add(subject);
    const since = this.since.get(subject);
    if (since !== undefined) return performance.now() - since >= settle;
    this.since.set(subject, performance.now());
    this.later();
    return false;
  }

  /** drawn forgets what is not shown any more: it is new when it comes back. */
  drawn(): void {
    for (const s of this.since.keys()) if (!this.asked.has(s)) this.since.delete(s);
    this.asked.clear();
  }

  /** again begins all moments anew, as when the page comes back into view. */
  again(): void {
    for (const s of this.since.keys()) this.since.set(s, performance.now());
    this.later();
    this.redraw();
  }

  private later(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(this.redraw, settle + 10);
  }
}
