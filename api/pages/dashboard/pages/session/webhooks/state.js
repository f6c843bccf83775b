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

/** How many events wait for it, or sessions of which one event fails and all others wait; and since when. */
export function Behind({ webhook }) {
  const t = useWords(words);
  const { data, error } = usePolled(() => (webhook.sessionsHeld ? heldSince(webhook) : untold(webhook)), LOOK, [webhook.id, webhook.sessionsHeld]);
  if (error) return html`<span class="warn">${error.code === "cursor_expired" ? t("behindKept") : "–"}</span>`;
  if (!data) return "…";
  if (!data.waiting) return t("upToDate");
  return html`<span title=${t("behindSince")}>${t(data.held ? "heldBehind" : "eventsBehind", { count: data.waiting })} · ${ago(data.since)}</span>`;
}

async function untold({ sessionId, events: names, cursor }) {
  const asked = { sessions: sessionId, events: names.join(","), after: cursor, limit: COUNTED };
  const { events } = await get("/api/events", asked);
  return { waiting: events.length === COUNTED ? `${count(COUNTED)}+` : events.length, since: events[0]?.occurredAt };
}

/** The cursor goes on without a session that is held: its failing event says since when. */
async function heldSince({ id, sessionsHeld }) {
  const { deliveries } = await get(`/api/webhooks/${id}/deliveries`, { status: "failing", limit: COUNTED });
  const tried = deliveries.map((each) => each.firstAttemptAt).sort();
  return { held: true, waiting: count(sessionsHeld), since: tried[0] };
}

/** The events that it is told of, the first of them by name. */
export function EventsTold({ webhook }) {
  const t = useWords(words);
  if (!webhook.events.length) return t("allEvents");
  const [first, ...others] = webhook.events;
  return html`<span title=${webhook.events.join(", ")}><code>${first}</code>${others.length > 0 && ` +${count(others.length)}`}</span>`;
}
