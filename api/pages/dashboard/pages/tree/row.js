/** One line of the tree. It is drawn again only when something that it shows is another. */

import { Component, html } from "../../lib/vendor/preact.js";
import { count, duration } from "../../lib/format.js";
import { kindOf, lookOf, pairs, waitsLong } from "./health.js";
import { Shape } from "./shape.js";

/** The id of a line's element, to which the tree's aria-activedescendant points. */
export const idOf = (path) => `node/${encodeURIComponent(path)}`;

const same = (one, other) =>
  one === other || (Array.isArray(one) && one.length === other?.length && one.every((each, n) => each === other[n]));

/**
 * `node` as the gateway tells it, `line` of sight.js spread out, `top` in pixels, `hidden` the tally of what is folded
 * away or null, `now` in whole seconds, `language` because the words are in it, `on` {open, fold} by path, for ever the same.
 */
export class Row extends Component {
  shouldComponentUpdate(next) {
    return Object.keys(next).some((key) => key !== "t" && !same(next[key], this.props[key]));
  }

  render({ node, path, level, position, size, open, top, active, shown, hidden, now, t, on }) {
    const look = lookOf(node, now);
    const said = remarks(node, now, t);
    const folded = hidden ? pairs(hidden).map(([each, many]) => `${count(many)} ${t(`is.${each}`)}`) : [];
    return html`<div
      role="treeitem"
      id=${idOf(path)}
      class="row ${active ? "active" : ""} ${shown ? "shown" : ""} ${kindOf(look) === "bad" ? "ill" : ""}"
      style=${{ transform: `translateY(${top}px)`, "--level": level }}
      aria-level=${level}
      aria-posinset=${position}
      aria-setsize=${size}
      aria-expanded=${open}
      aria-selected=${Boolean(shown)}
      aria-label=${[node.id, t(`is.${look}`), ...folded, ...said.map(({ text }) => text)].join(", ")}
      onClick=${() => on.open(path)}
    >
      <span class="name">
        <span
          class="fold"
          aria-hidden="true"
          onClick=${(event) => {
            if (open === null) return;
            event.stopPropagation();
            on.fold(path);
          }}
          >${open === null ? "" : open ? "▾" : "▸"}</span
        >
        <${Shape} look=${look} />
        <b class=${node.type === "supervisor" ? "supervisor" : ""}>${node.id}</b>
      </span>
      <span class="state ${kindOf(look)}">${t(`is.${look}`)}</span>
      <span class="age">${node.since ? duration(Math.max(0, now - Date.parse(node.since))) : ""}</span>
      <span class="restarts ${node.restarts ? "warn" : ""}">${node.restarts ? `↻ ${count(node.restarts)}` : ""}</span>
      <${Mail} node=${node} now=${now} />
      <span class="now">${hidden && html`<${Tally} flat=${hidden} t=${t} />`}${said.map(({ kind, text }) => html`<span class=${kind}>${text}</span>`)}</span>
    </div>`;
  }
}

/** How many there are of each look. */
export function Tally({ flat, t }) {
  return html`<span class="tally">
    ${pairs(flat).map(([look, many]) => html`<span class=${kindOf(look)} title=${t(`is.${look}`)}><${Shape} look=${look} />${count(many)}</span>`)}
  </span>`;
}

/** The messages that wait: a bar that doubles its messages with every step, with a mark at the most there ever were. */
function Mail({ node, now }) {
  if (!node.mailbox) return html`<span class="mail"></span>`;
  const { depth, peak } = node.mailbox;
  return html`<span class="mail ${waitsLong(node, now) ? "warn" : ""}">
    <span class="gauge"><i style=${{ transform: `scaleX(${share(depth)})` }}></i><u style=${{ left: `${100 * share(peak)}%` }}></u></span>
    <span class="number ${depth ? "" : "dim"}">${count(depth)}/${count(peak)}</span>
  </span>`;
}

const FULL = 10; // doublings: a mailbox holds 1024 unless it was told otherwise

/** How full a mailbox is, 0 to 1, by doublings. */
export const share = (depth) => Math.min(1, Math.log2(1 + depth) / FULL);

/** What else there is to say of it: what it does, what waits, its process, what it died of. */
export function remarks(node, now, t) {
  const found = [];
  const since = (iso) => duration(Math.max(0, now - Date.parse(iso)));
  if (node.due) found.push({ kind: "warn", text: t("dueIn", { time: duration(Math.max(0, Date.parse(node.due) - now)) }) });
  if (node.message) {
    const kind = lookOf(node, now) === "stuck" ? "bad" : "";
    found.push({ kind, text: t("inHandFor", { message: node.message, time: since(node.messageSince) }) });
  }
  if (waitsLong(node, now)) found.push({ kind: "warn", text: t("waitsFor", { time: since(node.mailbox.oldestSince) }) });
  if (node.mailbox?.dropped) found.push({ kind: "warn", text: t("dropped", { count: count(node.mailbox.dropped) }) });
  if (node.cell) found.push({ kind: "dim", text: t("process", { memory: node.cell.memoryMb, pid: node.cell.pid ?? "–" }) });
  if (node.cell?.retiring) found.push({ kind: "warn", text: t("retiring", { why: node.cell.retiring }) });
  if (node.lastExit) found.push({ kind: kindOf(node.state) === "bad" ? "bad" : "dim", text: node.lastExit });
  return found;
}
