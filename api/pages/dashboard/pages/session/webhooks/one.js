/** One webhook: how it is, and what became of its events. */

import { html, useState } from "../../../lib/vendor/preact.js";
import { count, time } from "../../../lib/format.js";
import { get } from "../../../lib/http.js";
import { usePolled } from "../../../lib/live.js";
import { useMe } from "../../../lib/me.js";
import { go, href } from "../../../lib/route.js";
import { useWords } from "../../../lib/words.js";
import { Button } from "../../../parts/button.js";
import { Card, Failure, Spinner } from "../../../parts/page.js";
import { words } from "../webhooks.words.js";
import { Acts, mayChange } from "./acts.js";
import { Deliveries } from "./deliveries.js";
import { Replay } from "./replay.js";
import { Behind, WebhookBadge } from "./state.js";

const LOOK = 3000; // ms

export function One({ id, session }) {
  const t = useWords(words);
  const { data: webhook, error, reload } = usePolled(() => get(`/api/webhooks/${encodeURIComponent(id)}`), LOOK, [id]);
  const back = html`<p><a class="back" href=${href("sessions", session.id, "webhooks")}>‹ ${t("title")}</a></p>`;
  if (!webhook) return html`${back}${error ? html`<${Failure} problem=${error} retry=${reload} />` : html`<${Spinner} />`}`;
  return html`${back}
    ${error && html`<${Failure} problem=${error} retry=${reload} />`}
    <${Card} title=${webhook.url} class="webhook">
      <${Acts} webhook=${webhook} session=${session} reload=${reload} onGone=${() => go("sessions", session.id, "webhooks")} />
      <${Facts} webhook=${webhook} />
    <//>
    <${Letters} webhook=${webhook} reload=${reload} />`;
}

function Facts({ webhook }) {
  const t = useWords(words);
  const { circuit, batch, filters } = webhook;
  const narrowed = Object.entries(filters).map(([name, value]) => `${t(`filter.${name}`)}: ${filterSaid(name, value, t)}`);
  return html`<dl class="facts">
    <dt>${t("status")}</dt><dd><${WebhookBadge} webhook=${webhook} /></dd>
    <dt>${t("behind")}</dt><dd><${Behind} webhook=${webhook} /></dd>
    <dt>${t("failures")}</dt>
    <dd>${count(circuit.failures)}${circuit.openedAt && ` · ${t("openSince", { time: time(circuit.openedAt) })}`}</dd>
    <dt>${t("events")}</dt><dd>${webhook.events.length ? html`<code>${webhook.events.join(", ")}</code>` : t("allEvents")}</dd>
    ${narrowed.length > 0 && html`<dt>${t("filters")}</dt><dd>${narrowed.join(" · ")}</dd>`}
    ${webhook.sessionId === null && html`<dt>${t("session")}</dt><dd>${t("allSessions")}</dd>`}
    <dt>${t("format")}</dt><dd>${webhook.format}</dd>
    <dt>${t("batch")}</dt><dd>${batch ? t("batchSaid", { most: count(batch.maxEvents), wait: count(batch.maxWaitMs) }) : t("oneByOne")}</dd>
    ${webhook.headers.length > 0 && html`<dt>${t("headers")}</dt><dd><code>${webhook.headers.join(", ")}</code></dd>`}
    <dt>${t("id")}</dt><dd><code>${webhook.id}</code></dd>
    <dt>${t("created")}</dt><dd>${time(webhook.createdAt)}</dd>
  </dl>`;
}

function filterSaid(name, value, t) {
  if (name === "fromMe") return value ? t("fromMe") : t("fromOthers");
  return value.join(", ");
}

/** The deliveries, and replaying more of them. */
function Letters({ webhook, reload }) {
  const t = useWords(words);
  const me = useMe();
  const [replaying, setReplaying] = useState(false);
  const may = mayChange(me, webhook);
  return html`<${Deliveries} webhook=${webhook} may=${may} actions=${may && html`<${Button} onClick=${() => setReplaying(true)}>${t("replay")}<//>`} />
    ${replaying && html`<${Replay} webhook=${webhook} onDone=${reload} onClose=${() => setReplaying(false)} />`}`;
}
