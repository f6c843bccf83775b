/** How a webhook is: its state, how far it is behind, and what it is told of. */

import { html } from "../../../lib/vendor/preact.js";
import { ago, count } from "../../../lib/format.js";
import { get } from "../../../lib/http.js";
import { usePolled } from "../../../lib/live.js";
import { useWords } from "../../../lib/words.js";
import { Badge } from "../../../parts/badge.js";
import { words } from "../webhooks.words.js";

const LOOK = 5000; // ms
const COUNTED = 100; // events; more are not told apart

/** paused, open (the endpoint is taken for dead), failing or active. */
export function stateOf(webhook) {
  if (!webhook.active) return "paused";
  if (webhook.circuit.state === "open") return "open";
  return webhook.circuit.failures || webhook.sessionsHeld ? "failing" : "active";
}

const KINDS = { paused: "idle", open: "bad", failing: "warn", active: "good" };

export function WebhookBadge({ webhook }) {
  const t = useWords(words);
  const state = stateOf(webhook);
  return html`<${Badge} kind=${KINDS[state]}>${t(`is.${state}`)}<//>
    ${webhook.replay && html` <${Badge} kind="busy">${t("replaying")}<//>`}`;
}

/** How many events wait for it, and since when. */
export function Behind({ webhook }) {
  const t = useWords(words);
  const asked = { sessions: webhook.sessionId, events: webhook.events.join(","), after: webhook.cursor, limit: COUNTED };
  const { data, error } = usePolled(() => get("/api/events", asked), LOOK, [webhook.id]);
  if (error) return html`<span class="warn">${error.code === "cursor_expired" ? t("behindKept") : "–"}</span>`;
  if (!data) return "…";
  const waiting = data.events.length;
  if (!waiting) return t("upToDate");
  const number = waiting === COUNTED ? `${count(COUNTED)}+` : count(waiting);
  return html`<span title=${t("behindSince")}>${number} · ${ago(data.events[0].occurredAt)}</span>`;
}

/** The events that it is told of, the first of them by name. */
export function EventsTold({ webhook }) {
  const t = useWords(words);
  if (!webhook.events.length) return t("allEvents");
  const [first, ...others] = webhook.events;
  return html`<span title=${webhook.events.join(", ")}><code>${first}</code>${others.length > 0 && ` +${count(others.length)}`}</span>`;
}
