// Draws a scene (a flat list of SVG primitives made in Python) and reports what is picked, joined, moved or removed.
// An edit names the revision of the drawing that it was made on; Python judges it and answers with a new scene.
// Layout, colors and words come from Python. Text enters the page as text nodes only.
const NS = 'http://www.w3.org/2000/svg';
const SHAPES = new Set(['rect', 'path', 'circle', 'text']);
const OWN = new Set(['t', 's', 'cls', 'id', 'tip']);
const memory = new WeakMap();

const make = (tag) => document.createElementNS(NS, tag);

function shape(item) {
  const el = make(item.t);
  for (const [name, value] of Object.entries(item)) {
    if (!OWN.has(name) && value !== null && value !== '') el.setAttribute(name, value);
  }
  el.setAttribute('class', item.cls + (item.id ? ' live' : ''));
  if (item.s) el.textContent = item.s;
  return el;
}

// The first primitive of a part is its focus stop and its test id; the others only report the same id.
function name(el, item, seen) {
  el.dataset.id = item.id;
  if (!seen.has(item.id)) {
    seen.add(item.id);
    el.dataset.testid = item.id;
    el.setAttribute('tabindex', -1);
    el.setAttribute('role', 'button');
    el.setAttribute('aria-label', item.tip || item.id);
  }
  if (item.tip && item.t !== 'text') {
    const title = make('title');
    title.textContent = item.tip;
    el.append(title);
  }
}

// A thin curve is hard to hit, so each has a wide invisible twin.
function hit(el) {
  const twin = make('path');
  twin.setAttribute('d', el.getAttribute('d'));
  twin.setAttribute('class', 'hit live');
  twin.dataset.id = el.dataset.id;
  const title = el.querySelector('title');
  if (title) twin.append(title.cloneNode(true));
  return twin;
}

function draw(svg, scene) {
  const focused = svg.getRootNode().activeElement?.dataset?.id;
  svg.replaceChildren();
  svg.setAttribute('viewBox', `0 0 ${scene.w} ${scene.h}`);
  svg.setAttribute('aria-label', scene.label);
  const seen = new Set();
  for (const item of scene.items) {
    if (!SHAPES.has(item.t)) continue;
    const el = shape(item);
    if (item.id) name(el, item, seen);
    svg.append(el);
    if (item.id && item.t === 'path') svg.append(hit(el));
  }
  if (focused) svg.querySelector(`[data-testid="${CSS.escape(focused)}"]`)?.focus();
}

// Nodes from left to right, as [id, middle]; a part's first primitive stands for it.
function row(svg) {
  const boxes = [...svg.querySelectorAll('[data-testid^="node-"]')];
  return boxes.map((el) => [el.dataset.id, el.getBBox()]).map(([id, b]) => [id, b.x + b.width / 2]).sort((p, q) => p[1] - q[1]);
}

export default function ({ parentElement, data, setStateValue, setTriggerValue }) {
  const svg = parentElement.querySelector('svg');
  if (!memory.has(svg)) memory.set(svg, {});
  const mine = memory.get(svg);
  svg.style.maxHeight = `${data.height}px`;
  svg.style.maxWidth = `${data.scene.w}px`;
  svg.setAttribute('class', (data.pick ? 'picks ' : '') + (data.edit ? 'edits ' : '') + (data.connect ? 'connects' : ''));
  const drawn = JSON.stringify(data.scene);
  if (mine.drawn !== drawn) { draw(svg, data.scene); mine.drawn = drawn; mine.from = null; mine.band = null; mine.waits = false; }

  const active = () => svg.getRootNode().activeElement;
  const idAt = (target) => target?.closest?.('[data-id]')?.dataset.id ?? null;
  const part = (id) => svg.querySelector(`[data-testid="${CSS.escape(id)}"]`);
  const isNode = (id) => Boolean(id?.startsWith('node-'));
  const say = (what, more) => setTriggerValue(what, { ...more, rev: data.rev });
  const pick = (id) => { if (data.pick) setStateValue('picked', id); };
  const walk = (step) => {
    const stops = [...svg.querySelectorAll('[tabindex]')];
    if (!stops.length) return;
    const at = stops.indexOf(active());
    stops[at < 0 ? (step > 0 ? 0 : stops.length - 1) : (at + step + stops.length) % stops.length].focus();
  };
  const band = (x, y) => {                              // the rubber band of a connection in the making
    const start = part(mine.from)?.getBBox();
    if (!start) return drop();
    if (!mine.band) { mine.band = make('path'); mine.band.setAttribute('class', 'band'); svg.append(mine.band); }
    mine.band.setAttribute('d', `M${start.x + start.width / 2} ${start.y + start.height / 2}L${x} ${y}`);
  };
  const begin = (id) => { mine.from = id; mine.waits = true; part(id)?.classList.add('from'); };
  const drop = () => {
    if (mine.from) part(mine.from)?.classList.remove('from');
    mine.from = null; mine.waits = false; mine.dragged = false; mine.band?.remove(); mine.band = null;
  };
  const join = (to) => { if (to !== mine.from) say('join', { source: mine.from.slice(5), target: to.slice(5) }); drop(); };
  const shift = (id, by) => {
    const ids = row(svg).map(([name]) => name);
    say('move', { node: id.slice(5), place: ids.indexOf(id) + by });
  };
  const point = (event) => new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());

  svg.onclick = (event) => {
    const id = idAt(event.target);
    if (mine.done) mine.done = false;                   // this click ended a drag
    else if (mine.waits && isNode(id)) join(id);
    else if (data.edit && data.connect && isNode(id)) begin(id);
    else { drop(); pick(id); }
  };
  svg.onkeydown = (event) => {
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    const id = idAt(active());
    if (event.key in steps && event.altKey && data.edit && isNode(id)) shift(id, steps[event.key]);
    else if (event.key in steps) walk(steps[event.key]);
    else if (event.key === 'Enter' || event.key === ' ') { if (mine.waits && isNode(id)) join(id); else pick(id); }
    else if (event.key === 'Escape') { if (mine.from) drop(); else pick(null); }
    else if (data.edit && event.key === 'c' && !event.ctrlKey && !event.metaKey && isNode(id)) { drop(); begin(id); }
    else if (data.edit && ['Delete', 'Backspace'].includes(event.key)) { if (id ?? mine.last) say('remove', { part: id ?? mine.last }); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  svg.onpointerdown = (event) => {
    mine.last = idAt(event.target);
    mine.done = false;
    if (!data.edit || mine.waits || data.connect) return;
    mine.from = isNode(mine.last) ? mine.last : null;
    mine.start = [event.clientX, event.clientY];
  };
  svg.onpointermove = (event) => {
    if (!mine.from) return;
    if (!mine.waits && Math.hypot(event.clientX - mine.start[0], event.clientY - mine.start[1]) < 5) return;
    if (!mine.dragged) svg.setPointerCapture(event.pointerId);   // a box may be let go anywhere
    mine.dragged = true;
    const to = point(event);
    band(to.x, to.y);
  };
  svg.onpointerup = (event) => {
    if (mine.waits || !mine.from) return;
    const to = idAt(svg.getRootNode().elementFromPoint(event.clientX, event.clientY)), x = point(event).x;
    mine.done = mine.dragged;
    if (mine.dragged && isNode(to)) return join(to);
    if (mine.dragged && !to) say('move', { node: mine.from.slice(5), place: row(svg).filter(([id, at]) => id !== mine.from && at < x).length });
    drop();
  };
  svg.onpointercancel = drop;
  return () => memory.delete(svg);
}
