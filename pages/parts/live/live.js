// Brings a chart up to date where it stands, in two steps: the new dots are painted on a canvas at once, which takes
// some 20 ms, and when there has been no news for a moment the figure itself follows, which takes plotly five times as
// long. It is changed as plotly's own tools change it: data and layout are set, and the chart says that it was restyled,
// upon which Streamlit draws it again. A picture taken in between still shows the old dots.
const REST = 300; // milliseconds without news before the figure follows
const LOOK = 60; // milliseconds between looks for the figure, which may come later and anew
const KINDS = {
  i1: Int8Array, u1: Uint8Array, i2: Int16Array, u2: Uint16Array, i4: Int32Array, u4: Uint32Array,
  f4: Float32Array, f8: Float64Array,
};
const memory = new WeakMap(); // element -> how to end what an earlier call began
const known = new WeakMap(); // a text of numbers -> the numbers
const charts = new WeakMap(); // chart -> what it was told, and what of it is still to be done

const bytes = (text) => {
  const found = atob(text);
  const out = new Uint8Array(found.length);
  for (let i = 0; i < out.length; i += 1) out[i] = found.charCodeAt(i);
  return out;
};

const text = (numbers) => {
  const all = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  let out = '';
  for (let i = 0; i < all.length; i += 8192) out += String.fromCharCode(...all.subarray(i, i + 8192));
  return btoa(out);
};

// An array of a trace, as Python writes it, as one row of numbers.
const numbers = (given) => {
  if (!given?.dtype) return Float64Array.from((given ?? []).flat());
  if (!known.has(given)) known.set(given, new KINDS[given.dtype](bytes(given.bdata).buffer));
  return known.get(given);
};

// The same the other way round. Numbers stay texts inside a figure: Streamlit copies it as JSON when the theme changes.
const written = (found, width) => {
  const dtype = Object.keys(KINDS).find((name) => found instanceof KINDS[name]);
  const shape = width ? { shape: `${found.length / width}, ${width}` } : {};
  const out = { dtype, bdata: text(found), ...shape };
  known.set(out, found);
  return out;
};

const taken = (found, at, width) => {
  const out = new found.constructor(at.length * width);
  at.forEach((row, i) => { for (let j = 0; j < width; j += 1) out[i * width + j] = found[row * width + j]; });
  return out;
};

// One trace with the chosen dots alone; where the others are goes to `pale`. The trace keeps what it had at first.
function thinned(trace, bits, size, pale) {
  const whole = trace.whole ?? { x: trace.x, y: trace.y, customdata: trace.customdata };
  const marker = { ...trace.marker, size };
  if (!bits) return { ...trace, ...whole, marker, whole };
  const [x, y, said] = [whole.x, whole.y, whole.customdata].map(numbers);
  const width = said.length / x.length;
  const at = [];
  for (let i = 0; i < x.length; i += 1) {
    const row = said[i * width];
    if ((bits[row >> 3] >> (7 - (row & 7))) & 1) at.push(i);
    else { pale.x.push(x[i]); pale.y.push(y[i]); }
  }
  return {
    ...trace, marker, whole,
    x: written(taken(x, at, 1)),
    y: written(taken(y, at, 1)),
    customdata: written(taken(said, at, width), width),
  };
}

// All traces that the figure is to have. What came with an earlier change, and not with the figure, was `added`.
function wanted(figure, change) {
  if (change.data) return change.data;
  const pale = { x: [], y: [] };
  const bits = change.chosen && bytes(change.chosen);
  const own = figure.data.filter((trace) => !trace.added)
    .map((trace) => (trace.meta === 'dots' ? thinned(trace, bits, change.size, pale) : trace));
  const [x, y] = [pale.x, pale.y].map((places) => written(Float32Array.from(places)));
  const others = bits ? [{ ...change.faded, x, y, added: true }] : [];
  return [...others, ...own, ...change.more.map((trace) => ({ ...trace, added: true }))];
}

// The dots of some traces on a canvas above the old ones, which are hidden meanwhile.
function paint(figure, traces) {
  const { xaxis, yaxis } = figure._fullLayout ?? {};
  const old = figure.querySelector('.gl-container');
  if (!xaxis?._length || !old) return;
  const canvas = figure.querySelector('canvas.live') ?? document.createElement('canvas');
  const [wide, high, ratio] = [xaxis._length, yaxis._length, window.devicePixelRatio || 1];
  canvas.className = 'live';
  canvas.width = Math.round(wide * ratio);
  canvas.height = Math.round(high * ratio);
  canvas.style.cssText = `position:absolute;pointer-events:none;left:${xaxis._offset}px;top:${yaxis._offset}px;`
    + `width:${wide}px;height:${high}px`;
  const pen = canvas.getContext('2d');
  const [[x0, x1], [y0, y1]] = [xaxis.range, yaxis.range];
  const across = (trace) => numbers(trace.x).map((v) => ((v - x0) / (x1 - x0)) * canvas.width);
  const down = (trace) => numbers(trace.y).map((v) => (1 - (v - y0) / (y1 - y0)) * canvas.height);
  const image = pen.createImageData(canvas.width, canvas.height);
  let count = 0;
  for (const trace of traces.filter((t) => t.type === 'scattergl' && t.mode === 'markers')) {
    const { size, color, opacity } = trace.marker;
    pen.fillStyle = color; // comes back as #rrggbb
    const ink = [1, 3, 5].map((at) => parseInt(pen.fillStyle.slice(at, at + 2), 16));
    dots(image, across(trace), down(trace), (size * ratio) / 2, [...ink, opacity ?? 1]);
    if (trace.meta === 'dots') count += numbers(trace.x).length;
  }
  pen.putImageData(image, 0, 0);
  for (const trace of traces.filter((t) => t.type === 'scattergl' && t.mode.includes('lines'))) {
    line(pen, across(trace), down(trace), trace.line, ratio);
  }
  canvas.dataset.dots = count;
  if (!canvas.isConnected) old.after(canvas);
  old.style.opacity = 0;
}

// How much of each pixel a dot covers, whose middle lies a part of a pixel right of and below the middle of a square.
function stamp(radius, span, right, below) {
  const out = new Float32Array(span * span);
  for (let i = 0; i < out.length; i += 1) {
    const far = Math.hypot((i % span) + 0.5 - span / 2 - right, Math.floor(i / span) + 0.5 - span / 2 - below);
    out[i] = Math.min(1, Math.max(0, radius + 0.3 - far));
  }
  return out;
}

// Dots of one color laid over those that are there; a canvas takes ten times as long to copy 15,625 small pictures.
function dots(image, x, y, radius, [red, green, blue, opacity]) {
  const { data, width, height } = image;
  const span = Math.ceil(2 * radius) + 2;
  const stamps = Array.from({ length: 16 }, (_, i) => stamp(radius, span, ((i % 4) + 0.5) / 4, (Math.floor(i / 4) + 0.5) / 4));
  for (let n = 0; n < x.length; n += 1) {
    const [left, top] = [x[n] - span / 2, y[n] - span / 2];
    const [i0, j0] = [Math.floor(left), Math.floor(top)];
    const cover = stamps[Math.floor((left - i0) * 4) + 4 * Math.floor((top - j0) * 4)];
    for (let j = Math.max(0, -j0); j < span && j0 + j < height; j += 1) {
      for (let i = Math.max(0, -i0); i < span && i0 + i < width; i += 1) {
        const over = cover[j * span + i] * opacity;
        if (!over) continue;
        const at = 4 * ((j0 + j) * width + i0 + i);
        const under = (data[at + 3] / 255) * (1 - over);
        const all = over + under;
        data[at] = (red * over + data[at] * under) / all;
        data[at + 1] = (green * over + data[at + 1] * under) / all;
        data[at + 2] = (blue * over + data[at + 2] * under) / all;
        data[at + 3] = 255 * all;
      }
    }
  }
}

function line(pen, x, y, { color, width, shape }, ratio) {
  pen.strokeStyle = color;
  pen.lineWidth = width * ratio;
  pen.beginPath();
  for (let i = 0; i < x.length; i += 1) {
    if (i && shape === 'hv') pen.lineTo(x[i], y[i - 1]);
    if (i && shape === 'vh') pen.lineTo(x[i - 1], y[i]);
    pen.lineTo(x[i], y[i]);
  }
  pen.stroke();
}

function unveil(figure) {
  figure.querySelector('canvas.live')?.remove();
  const old = figure.querySelector('.gl-container');
  if (old) old.style.opacity = '';
}

// The figure itself follows. A box that was drawn in it has been told, so it goes.
function settle(figure) {
  const chart = charts.get(figure);
  if (!chart.next || !figure.isConnected) return;
  const { data, layout, ranges } = chart.next;
  const turn = (chart.turn ?? 0) + 1;
  Object.assign(chart, { turn, next: null });
  const axis = (name, range) => ({
    ...figure.layout[name], ...layout[name], ...(range ? { range, autorange: false } : {}),
  });
  figure.data = data.map((trace) => ({ ...trace, selectedpoints: null }));
  figure.layout = {
    ...figure.layout, ...layout, selections: [], selectionrevision: turn,
    xaxis: axis('xaxis', ranges?.slice(0, 2)), yaxis: axis('yaxis', ranges?.slice(2)),
    ...(ranges ? { uirevision: turn } : {}),
  };
  figure.once('plotly_afterplot', () => requestAnimationFrame(() => { if (!chart.next) unveil(figure); }));
  figure.emit('plotly_restyle');
}

// What is in sight changes only if Python asks for another part than before, or for all after a part.
function asked(chart, change, whole) {
  const before = chart.ranges ?? null;
  chart.ranges = change.ranges ?? null;
  if (!chart.said) return change.ranges ?? null;
  return before && !change.ranges ? whole : null;
}

function bring(figure, change) {
  const chart = charts.get(figure) ?? {};
  charts.set(figure, chart);
  const frame = figure.closest('[data-testid=stPlotlyChart]');
  if (frame && change.label) frame.ariaLabel = change.label;
  const said = JSON.stringify(change);
  if (chart.said === said) return;
  chart.whole ??= [...figure._fullLayout.xaxis.range, ...figure._fullLayout.yaxis.range];
  const ranges = asked(chart, change, chart.whole);
  const plain = !chart.said && change.plain && !figure.data.some((trace) => trace.whole);
  chart.said = said;
  if (plain) return; // it was drawn like this
  chart.next = { data: wanted(figure, change), layout: change.layout, ranges };
  if (!ranges) paint(figure, chart.next.data);
  clearTimeout(chart.timer);
  chart.timer = setTimeout(() => settle(figure), REST);
}

export default function ({ parentElement, data, setTriggerValue }) {
  memory.get(parentElement)?.();
  let figure = null;
  const moved = () => {
    const next = charts.get(figure)?.next;
    if (next) paint(figure, next.data);
  };
  const boxed = (event) => {
    const box = (event?.selections ?? []).at(-1);
    if (box?.type === 'rect') setTriggerValue('box', [box.x0, box.x1, box.y0, box.y1]);
  };
  const leave = () => {
    figure?.removeListener?.('plotly_relayouting', moved);
    figure?.removeListener?.('plotly_afterplot', moved);
    figure?.removeListener?.('plotly_selected', boxed);
  };
  const look = () => {
    const found = document.querySelector(`.st-key-${CSS.escape(data.figure)} .js-plotly-plot`);
    if (!found?.on || !found._fullLayout?.xaxis) return;
    if (data.boxes) { // Streamlit would send every dot of a box, megabytes, and keep them for each later run
      found.removeAllListeners('plotly_selected');
      found.on('plotly_selected', boxed);
    }
    if (found === figure) return;
    leave();
    figure = found;
    figure.on('plotly_relayouting', moved);
    figure.on('plotly_afterplot', moved);
    bring(figure, data);
  };
  look();
  const looking = setInterval(look, LOOK);
  const stop = () => { clearInterval(looking); leave(); };
  memory.set(parentElement, stop);
  return stop;
}
