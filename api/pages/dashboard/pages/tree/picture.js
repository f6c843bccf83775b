/** All actors at a glance: a tile each, in the order of the tree, that fills as its mailbox does. */

import { html, useEffect, useLayoutEffect, useRef, useState } from "../../lib/vendor/preact.js";
import { count } from "../../lib/format.js";
import { kindOf, LOOKS, lookOf, pairs } from "./health.js";
import { remarks, share } from "./row.js";

const FEW = 60; // actors: so few are seen in the tree itself
const KINDS = ["good", "busy", "warn", "bad", "idle"];

/** `sought` is a set of paths, or null: all others are drawn faintly. `counted` is the tally of the whole tree. */
export function Picture({ tree, now, sought, counted, t, onOpen }) {
  const box = useRef(null);
  const canvas = useRef(null);
  const [width, setWidth] = useState(0);
  const [at, setAt] = useState(null);
  const workers = [...tree.nodes.values()].filter((node) => node.type === "worker");
  const many = workers.length > FEW;
  useEffect(() => {
    if (!many) return undefined;
    const watch = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, [many]);
  const size = width < 640 || workers.length > 3000 ? 10 : 14; // px of a tile and the space beside it
  const columns = Math.max(1, Math.floor(width / size));
  const drawn = useRef({});
  useLayoutEffect(() => {
    if (many && width) drawn.current = painted(canvas.current, drawn.current, { workers, columns, size, now, sought });
  });
  if (!many) return null;
  const number = ({ offsetX, offsetY }) => Math.floor(offsetY / size) * columns + Math.floor(offsetX / size);
  const node = workers[at];
  const said = pairs(counted).map(([look, each]) => `${count(each)} ${t(`is.${look}`)}`);
  return html`<figure class="picture" ref=${box}>
    ${KINDS.map((kind) => html`<i class=${kind} aria-hidden="true"></i>`)}
    <canvas
      ref=${canvas}
      role="img"
      aria-label=${`${t("picture")}: ${said.join(", ")}`}
      onPointerMove=${(event) => setAt(number(event))}
      onPointerLeave=${() => setAt(null)}
      onClick=${(event) => {
        const found = workers[number(event)];
        if (found) onOpen(found.path);
      }}
    ></canvas>
    <figcaption aria-hidden="true">
      ${node ? [node.path, t(`is.${lookOf(node, now)}`), ...remarks(node, now, t).map(({ text }) => text)].join(" · ") : t("pictureIs")}
    </figcaption>
  </figure>`;
}

/** Paint the tiles that are other than `before`, or all when the picture is another; what to give as `before` next time. */
function painted(canvas, before, { workers, columns, size, now, sought }) {
  const scale = window.devicePixelRatio || 1;
  const colours = [...canvas.parentElement.querySelectorAll("i")].map((probe) => getComputedStyle(probe).color);
  const frame = [columns, size, scale, workers.length, ...colours].join();
  const pen = canvas.getContext("2d");
  const same = before.frame === frame;
  if (!same) {
    const rows = Math.ceil(workers.length / columns);
    Object.assign(canvas, { width: columns * size * scale, height: rows * size * scale });
    Object.assign(canvas.style, { width: `${columns * size}px`, height: `${rows * size}px` });
    pen.scale(scale, scale);
  }
  const tiles = workers.map((node, n) => {
    const look = lookOf(node, now);
    const filled = Math.ceil(10 * share(node.mailbox?.depth ?? 0));
    const faint = sought !== null && !sought.has(node.path);
    const key = LOOKS.indexOf(look) * 100 + filled * 4 + (node.message ? 2 : 0) + (faint ? 1 : 0);
    if (same && before.tiles[n] === key) return key;
    const [x, y] = [(n % columns) * size, Math.floor(n / columns) * size];
    pen.clearRect(x, y, size, size);
    pen.globalAlpha = faint ? 0.15 : 1;
    pen.fillStyle = pen.strokeStyle = colours[KINDS.indexOf(kindOf(look))];
    tile(pen, kindOf(look), x, y, size - 2, filled / 10, node.message !== null);
    return key;
  });
  return { frame, tiles };
}

/** Well: pale, and full from below as its mailbox is. Each other kind has a form of its own. */
function tile(pen, kind, x, y, size, filled, works) {
  const [right, bottom, middle] = [x + size, y + size, x + size / 2];
  const faint = pen.globalAlpha;
  pen.lineWidth = 1.5;
  pen.beginPath();
  if (kind === "good") {
    pen.globalAlpha = faint * (works ? 0.75 : 0.4);
    pen.fillRect(x, y, size, size);
    pen.globalAlpha = faint;
    pen.fillRect(x, bottom - size * filled, size, size * filled);
  } else if (kind === "idle") {
    pen.strokeRect(x + 1, y + 1, size - 2, size - 2);
  } else if (kind === "busy") {
    pen.strokeRect(x + 1, y + 1, size - 2, size - 2);
    pen.fillRect(middle, y, size / 2, size);
  } else if (kind === "warn") {
    for (const [cx, cy] of [[middle, y], [right, y + size / 2], [middle, bottom], [x, y + size / 2]]) pen.lineTo(cx, cy);
    pen.fill();
  } else {
    pen.lineWidth = 2.6;
    for (const [fx, tx] of [[x + 1, right - 1], [right - 1, x + 1]]) {
      pen.moveTo(fx, y + 1);
      pen.lineTo(tx, bottom - 1);
    }
    pen.stroke();
  }
}
