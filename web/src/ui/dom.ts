// The screens as values, made anew for each View and laid over what is there:
// elements stay, so focus, typed text and scroll stay.

export type Handler = (event: Event) => void;
/** Mounted runs when the element is in the page; gone ends when it leaves. */
export type Mounted = (el: HTMLElement, gone: AbortSignal) => void;
export type Props = { key?: string; mounted?: Mounted } & { [name: `on${string}`]: Handler | undefined } & { [attribute: string]: unknown };
export type Child = Node | string | number | false | null | undefined | readonly Child[];

/** A Node is an element to be, or text. Attributes: false and undefined are none, true is "". */
export interface Node {
  tag: string; // "" for text
  text: string;
  key: string; // among siblings of one tag
  props: Props;
  kids: Node[];
  el: Element | Text | undefined;
  gone: AbortController | undefined;
}

/** h makes an element. Handlers are props as "onclick"; an input's value is its first one. */
export function h(tag: string, props: Props, ...children: Child[]): Node {
  return { tag, text: "", key: props.key ?? "", props, kids: flat(children), el: undefined, gone: undefined };
}

function flat(children: readonly Child[]): Node[] {
  const out: Node[] = [];
  for (const c of children) {
    if (c === false || c === null || c === undefined || c === "") continue;
    if (typeof c === "string" || typeof c === "number") {
      out.push({ tag: "", text: String(c), key: "", props: {}, kids: [], el: undefined, gone: undefined });
    } else if ("tag" in c) out.push(c);
    else out.push(...flat(c));
  }
  return out;
}

/** tree shows nodes in root, over those that it showed before. */
export function tree(root: Element): (next: Child[]) => void {
  let old: Node[] = [];
  return (next) => {
    const mounted: (() => void)[] = [];
    const nodes = flat(next);
    lay(root, old, nodes, mounted);
    old = nodes;
    for (const f of mounted) f();
  };
}

function lay(parent: Element, old: Node[], next: Node[], mounted: (() => void)[]): void {
  const spare = [...old];
  for (const n of next) {
    const i = spare.findIndex((o) => o.tag === n.tag && o.key === n.key);
    const o = i < 0 ? undefined : spare.splice(i, 1)[0];
    if (o) update(o, n, mounted);
    else create(n, mounted);
  }
  for (const o of spare) {
    leave(o);
    o.el?.remove();
  }
  // What is in its place is not moved: that would take its focus.
  let at = parent.firstChild;
  for (const n of next) {
    if (!n.el) continue;
    if (n.el === at) at = at.nextSibling;
    else parent.insertBefore(n.el, at);
  }
}

const svg = "http://www.w3.org/2000/svg";

function create(n: Node, mounted: (() => void)[]): void {
  if (n.tag === "") {
    n.el = document.createTextNode(n.text);
    return;
  }
  const el = n.tag === "svg" || n.tag === "path" ? document.createElementNS(svg, n.tag) : document.createElement(n.tag);
  n.el = el;
  for (const [name, value] of Object.entries(n.props)) set(el, name, value);
  lay(el, [], n.kids, mounted);
  const { mounted: hook } = n.props;
  if (hook && el instanceof HTMLElement) {
    const gone = new AbortController();
    n.gone = gone;
    mounted.push(() => gone.signal.aborted || hook(el, gone.signal));
  }
}

function update(o: Node, n: Node, mounted: (() => void)[]): void {
  const el = o.el;
  n.el = el;
  n.gone = o.gone;
  if (el instanceof Text) {
    if (o.text !== n.text) el.data = n.text;
    return;
  }
  if (!el) return;
  for (const name of Object.keys(o.props)) if (!(name in n.props)) set(el, name, undefined);
  for (const [name, value] of Object.entries(n.props)) if (o.props[name] !== value) set(el, name, value);
  lay(el, o.kids, n.kids, mounted);
}

function leave(n: Node): void {
  n.gone?.abort();
  n.kids.forEach(leave);
}

const handlers = new WeakMap<Element, Map<string, Handler>>();

function set(el: Element, name: string, value: unknown): void {
  if (name === "key" || name === "mounted") return;
  if (name.startsWith("on")) return listen(el, name.slice(2), value as Handler | undefined);
  if (name === "checked" && el instanceof HTMLInputElement) {
    el.checked = value === true;
    return;
  }
  if (value === true) el.setAttribute(name, "");
  else if (typeof value === "string" || typeof value === "number") el.setAttribute(name, String(value));
  else el.removeAttribute(name);
}

// One listener for each type; which handler it calls may change.
function listen(el: Element, type: string, handler: Handler | undefined): void {
  let of = handlers.get(el);
  if (!of) handlers.set(el, (of = new Map<string, Handler>()));
  const known = of.has(type);
  of.set(type, handler ?? (() => undefined));
  if (!known) el.addEventListener(type, (event) => handlers.get(el)?.get(type)?.(event));
}
