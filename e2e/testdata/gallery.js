// faults lists what is wrong with the layout of the screen that is shown.
function faults() {
  const out = [];
  const width = document.documentElement.clientWidth;
  const say = (el, what) => out.push(`${el.tagName.toLowerCase()}.${String(el.getAttribute("class"))} "${el.textContent.slice(0, 30)}" ${what}`);
  if (document.documentElement.scrollWidth > width) out.push(`the page is ${document.documentElement.scrollWidth} wide`);
  for (const el of document.querySelectorAll("body *")) {
    const r = el.getBoundingClientRect();
    if (r.width === 0 || !el.checkVisibility()) continue;
    if ((r.left < -0.5 || r.right > width + 0.5) && !el.closest("svg, .finder, video")) say(el, `reaches from ${r.left} to ${r.right}`);
    if (el.scrollWidth > el.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(el).overflowX)) say(el, "scrolls sideways");
    if (el.matches("button, a, input:not([type=checkbox]), textarea, .check") && (r.height < 44 || r.width < 44)) say(el, `is ${r.width} by ${r.height}`);
    if (el.matches("bdi") && (getComputedStyle(el).unicodeBidi !== "isolate" || getComputedStyle(el).direction !== "ltr")) say(el, "may move what is around it");
    if (el.matches("[onclick], [onerror], img, script:not([src]), iframe")) say(el, "is there");
  }
  const dialog = document.querySelector("dialog[open]");
  for (const b of dialog ? dialog.querySelectorAll("footer") : []) {
    b.scrollIntoView({ block: "nearest" });
    const r = b.getBoundingClientRect();
    if (r.bottom > innerHeight + 0.5) say(b, `ends at ${r.bottom}, below ${innerHeight}`);
  }
  if (window.pwned) out.push("a name was executed");
  const unseen = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/;
  if (unseen.test(document.body.textContent)) out.push("there is text that cannot be seen");
  return out;
}

// accessible lists what axe calls serious or worse.
async function accessible() {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations
    .filter((v) => v.impact === "serious" || v.impact === "critical")
    .flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(" ")}: ${n.failureSummary.replace(/\s+/g, " ")}`));
}
