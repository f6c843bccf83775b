/** What became of a node while we watched: its mailbox and its restarts as lines. */

import { html } from "../../lib/vendor/preact.js";
import { time } from "../../lib/format.js";
import { Plot } from "../../parts/plot.js";
import { depthsOver, restartsOver } from "./model.js";

const LISTED = 5;

/** The gateway tells how many restarts there were, not when: what is drawn began with our watching. */
export function Lately({ tree, node, t }) {
  const lives = tree.lives.get(node.path) ?? [];
  const depths = depthsOver(tree, node.path);
  return html`<section class="lately">
    ${depths.some(({ depth }) => depth > 0) &&
    html`<h3>${t("mailboxLately")}</h3>
      <${Plot} points=${depths} series=${[{ field: "depth", title: t("waiting"), kind: "a" }]} title=${t("mailboxLately")} />`}
    ${lives.length > 0 &&
    html`<h3>${t("restartsLately", { time: time(tree.since) })}</h3>
      <${Plot} points=${restartsOver(tree, node.path)} series=${[{ field: "restarts", title: t("restarts"), kind: "b" }]} title=${t("restartsLately", { time: time(tree.since) })} />
      <ul class="lives">
        ${lives
          .slice(-LISTED)
          .reverse()
          .map(({ at, restarts, exit }) => html`<li key=${restarts}>${time(at)} · ${exit}</li>`)}
      </ul>`}
  </section>`;
}
