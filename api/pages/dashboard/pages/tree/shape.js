/** A sign for each look, which is told from the others without its colour. */

import { html } from "../../lib/vendor/preact.js";
import { kindOf } from "./health.js";

const RING = html`<circle class="ring" cx="8" cy="8" r="5.2" />`;
const HALF = html`<circle class="ring" cx="8" cy="8" r="5.2" /><path class="full" d="M8 2.8a5.2 5.2 0 0 1 0 10.4z" />`;
const WARNING = html`<path class="full" d="M8 1.6 15 14H1z" /><path class="cut" d="M8 6v4M8 11.6v1.2" />`;

const drawn = {
  running: () => html`<circle class="full" cx="8" cy="8" r="6" />`,
  starting: () => HALF,
  restarting: () => HALF,
  stopping: () => html`<circle class="ring" cx="8" cy="8" r="5.2" /><path class="full" d="M2.8 8a5.2 5.2 0 0 0 10.4 0z" />`,
  backing_off: () => html`<circle class="ring dashed" cx="8" cy="8" r="5.2" /><path class="ring" d="M8 5v3.2l2 1.4" />`,
  suspended: () => html`<path class="full" d="M3.5 3h3v10h-3zM9.5 3h3v10h-3z" />`,
  unresponsive: () => WARNING,
  stuck: () => WARNING,
  failed: () => html`<path class="thick" d="m3.5 3.5 9 9m0-9-9 9" />`,
};

/** Decoration: the look stands in words beside it. */
export function Shape({ look }) {
  return html`<svg class="shape ${kindOf(look)}" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">${(drawn[look] ?? (() => RING))()}</svg>`;
}
