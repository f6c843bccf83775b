/** What is wrong, each with a way to where one can act; or that nothing is. */

import { html } from "../../lib/vendor/preact.js";
import { ago, time } from "../../lib/format.js";
import { Badge } from "../../parts/badge.js";

/** `found` as `wrongIn` gives it; `t` knows its words. */
export function Wrong({ found, t }) {
  if (!found.length) return html`<p class="card well"><${Badge} kind="good"><strong>${t("well")}</strong><//></p>`;
  return html`<section class="card wrongs ${found.some(({ kind }) => kind === "bad") ? "bad" : "warn"}" aria-label=${t("wrong")}>
    <h2>${t("wrong")}</h2>
    <ul class="plain">
      ${found.map(
        ({ kind, what, values, since, detail, to }) => html`<li key=${`${what} ${Object.values(values)} ${to}`}>
          <${Badge} kind=${kind}><span class="said">${t(what, values)}</span><//>
          <span class="dim">${[detail, since && ago(since)].filter(Boolean).join(" · ")}</span>
          ${to && html`<a href=${to} title=${time(since)}>${t("look")}</a>`}
        </li>`,
      )}
    </ul>
  </section>`;
}
