// Tells Python which part of a figure is in sight after a zoom, a drag or a reset. It draws nothing.
const WAIT = 250; // milliseconds of rest before a wish is sent, and between looks for the figure
const memory = new WeakMap(); // element -> how to end what an earlier call began

export default function ({ parentElement, data, setStateValue }) {
  memory.get(parentElement)?.();
  let figure = null;
  let timer = null;
  let told = JSON.stringify(data.part);

  const tell = () => {
    const { xaxis, yaxis } = figure?._fullLayout ?? {};
    if (!xaxis || !yaxis) return;
    const part = [...xaxis.range, ...yaxis.range];
    const again = JSON.stringify(part) === told; // a reset leads to where Python began: a wish for all
    told = JSON.stringify(part);
    setStateValue('part', again ? [] : part);
  };
  const moved = (change) => {
    if (!Object.keys(change ?? {}).some((name) => name.includes('axis'))) return;
    clearTimeout(timer);
    timer = setTimeout(tell, WAIT);
  };
  const look = () => { // the figure may come later, and is made anew when the theme changes
    const found = document.querySelector(`.st-key-${CSS.escape(data.figure)} .js-plotly-plot`);
    if (!found?.on || found === figure) return;
    figure?.removeListener?.('plotly_relayout', moved);
    figure = found;
    figure.on('plotly_relayout', moved);
  };

  look();
  const looking = setInterval(look, WAIT);
  const stop = () => {
    clearInterval(looking);
    clearTimeout(timer);
    figure?.removeListener?.('plotly_relayout', moved);
  };
  memory.set(parentElement, stop);
  return stop;
}
