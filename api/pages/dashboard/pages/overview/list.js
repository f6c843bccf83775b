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
      ${found.map(({ kind, what, values, since, detail, to }) => {
        const said = t(what, { ...values, session: values.session ?? t("everySession") });
        return html`<li key=${`${what} ${Object.values(values)} ${to}`}>
          <${Badge} kind=${kind}><span class="said">${said}</span><//>
          <span class="dim">${detail}${detail && since && " · "}${since && html`<time datetime=${since} title=${time(since)}>${ago(since)}</time>`}</span>
          ${to && html`<a href=${to} aria-label="${t("look")}: ${said}">${t("look")}</a>`}
        </li>`;
      })}
    </ul>
  </section>`;
}
