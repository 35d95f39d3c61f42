// Draws a scene (a flat list of SVG primitives made in Python) and reports what is picked, joined or removed.
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

export default function ({ parentElement, data, setStateValue, setTriggerValue }) {
  const svg = parentElement.querySelector('svg');
  if (!memory.has(svg)) memory.set(svg, {});
  const mine = memory.get(svg);
  svg.style.maxHeight = `${data.height}px`;
  svg.style.maxWidth = `${data.scene.w}px`;
  svg.setAttribute('class', (data.pick ? 'picks ' : '') + (data.edit ? 'edits' : ''));
  const drawn = JSON.stringify(data.scene);
  if (mine.drawn !== drawn) { draw(svg, data.scene); mine.drawn = drawn; }

  const active = () => svg.getRootNode().activeElement;
  const idAt = (target) => target?.closest?.('[data-id]')?.dataset.id ?? null;
  const pick = (id) => { if (data.pick) setStateValue('picked', id); };
  const walk = (step) => {
    const stops = [...svg.querySelectorAll('[tabindex]')];
    if (!stops.length) return;
    const at = stops.indexOf(active());
    stops[at < 0 ? (step > 0 ? 0 : stops.length - 1) : (at + step + stops.length) % stops.length].focus();
  };
  const isNode = (id) => id?.startsWith('node-');
  const drop = () => { mine.from = null; mine.band?.remove(); mine.band = null; };

  svg.onclick = (event) => {
    if (!mine.joined) pick(idAt(event.target));
    mine.joined = false;
  };
  svg.onkeydown = (event) => {
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    if (event.key in steps) walk(steps[event.key]);
    else if (event.key === 'Enter' || event.key === ' ') pick(idAt(active()));
    else if (event.key === 'Escape') { drop(); pick(null); }
    else if (data.edit && ['Delete', 'Backspace'].includes(event.key)) {
      const id = idAt(active()) ?? mine.last;
      if (id) setTriggerValue('remove', id);
    } else return;
    event.preventDefault();
  };
  svg.onpointerdown = (event) => {
    mine.last = idAt(event.target);
    mine.from = data.edit && isNode(mine.last) ? mine.last : null;
  };
  svg.onpointermove = (event) => {                      // the rubber band of a connection in the making
    if (!mine.from) return;
    const start = svg.querySelector(`[data-testid="${CSS.escape(mine.from)}"]`)?.getBBox();
    if (!start) return drop();
    const to = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    if (!mine.band) { mine.band = make('path'); mine.band.setAttribute('class', 'band'); svg.append(mine.band); }
    mine.band.setAttribute('d', `M${start.x + start.width / 2} ${start.y + start.height / 2}L${to.x} ${to.y}`);
  };
  svg.onpointerup = (event) => {
    const to = idAt(event.target);
    if (mine.from && isNode(to) && to !== mine.from) {
      mine.joined = true;
      setTriggerValue('join', { source: mine.from.slice(5), target: to.slice(5) });
    }
    drop();
  };
  svg.onpointerleave = drop;
  return () => memory.delete(svg);
}
