/** What a node died of, and where its tasks stand. */

import { html } from "../../lib/vendor/preact.js";
import { duration } from "../../lib/format.js";
import { Code } from "../../parts/page.js";

export function LastExit({ node, lines, t }) {
  if (!node.lastExit) return null;
  return html`<section>
    <h3>${t("lastExit")}</h3>
    <p class=${lines ? "bad" : ""}>${node.lastExit}</p>
    ${lines && html`<details open><summary>${t("traceback")}</summary><${Code} value=${lines.join("\n")} label=${t("traceback")} /></details>`}
  </section>`;
}

/** The first task is that with the message in hand; it is open while there is one. */
export function Tasks({ node, tasks, now, t }) {
  if (!tasks.length) return null;
  const age = node.message ? duration(Math.max(0, now - Date.parse(node.messageSince))) : null;
  return html`<section>
    <h3>${t("tasks")}</h3>
    ${node.message && html`<p>${t("standsAt", { message: node.message, time: age })}</p>`}
    ${tasks.map(
      ({ name, stack }, n) => html`<details key=${`${n} ${name}`} open=${n === 0 && node.message !== null}>
        <summary><code>${name}</code></summary>
        <${Code} value=${(n === 0 && node.message ? handler(stack) : stack).join("\n")} label=${name} />
      </details>`,
    )}
  </section>`;
}

/** The frames of the handler alone, without those that lead to it in every actor. */
function handler(stack) {
  const at = stack.findLastIndex((frame) => frame.endsWith(" _converse"));
  return at < 0 ? stack : stack.slice(at + 1);
}
