/** Figures over time, as lines. */

import { html, useState } from "../lib/vendor/preact.js";
import { count, time } from "../lib/format.js";

const WIDTH = 600;
const HEIGHT = 140;
const FOOT = 4;

/** The next round number at or above: 1, 2, 5, 10, 20… */
function rounded(value) {
  const size = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map((step) => step * size).find((each) => each >= value);
}

/**
 * `points` are [{at, …}], oldest first; `series` says which of their fields are drawn: [{field, title, kind}], where kind
 * is "a" or "b". `title` is what a screen reader says of it; the last figures stand in words below.
 */
export function Plot({ points, series, title, format = count }) {
  const [at, setAt] = useState(null);
  const top = rounded(Math.max(1, ...points.flatMap((point) => series.map(({ field }) => point[field]))));
  const x = (n) => (points.length < 2 ? 0 : (n / (points.length - 1)) * WIDTH);
  const y = (value) => HEIGHT - FOOT - (value / top) * (HEIGHT - 2 * FOOT);
  const line = (field) => points.map((point, n) => `${n ? "L" : "M"}${x(n).toFixed(1)} ${y(point[field]).toFixed(1)}`).join("");
  const point = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    setAt(Math.round(((event.clientX - box.left) / box.width) * (points.length - 1)));
  };
  const shown = points[at] ?? points.at(-1);
  return html`<figure class="plot">
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label=${title} onPointerMove=${point} onPointerLeave=${() => setAt(null)}>
      ${[0, 0.5, 1].map((part) => html`<line class="grid" x1="0" x2=${WIDTH} y1=${y(top * part)} y2=${y(top * part)} vector-effect="non-scaling-stroke" />`)}
      ${series.map(({ field, kind }) => html`<path class="line ${kind}" d=${line(field)} vector-effect="non-scaling-stroke" />`)}
      ${points[at] && html`<line class="mark" x1=${x(at)} x2=${x(at)} y1="0" y2=${HEIGHT} vector-effect="non-scaling-stroke" />`}
    </svg>
    <figcaption>
      ${series.map(({ field, title: name, kind }) => html`<span class="key ${kind}"><i aria-hidden="true"></i>${name} <b>${shown ? format(shown[field]) : "–"}</b></span>`)}
      <span class="when">${shown ? time(shown.at) : ""}</span><span class="top">≤ ${format(top)}</span>
    </figcaption>
  </figure>`;
}
