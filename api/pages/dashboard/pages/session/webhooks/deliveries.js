/** What became of a webhook's events, live; any of them sent once more. */

import { html, useState } from "../../../lib/vendor/preact.js";
import { ago, count, duration, time } from "../../../lib/format.js";
import { post } from "../../../lib/http.js";
import { useFirst } from "../../../lib/live.js";
import { useWords } from "../../../lib/words.js";
import { Badge } from "../../../parts/badge.js";
import { Button } from "../../../parts/button.js";
import { Confirm, Dialog } from "../../../parts/dialog.js";
import { Card, Code, Empty, Failure, More, Spinner } from "../../../parts/page.js";
import { Table } from "../../../parts/table.js";
import { useToast } from "../../../parts/toast.js";
import { words } from "../webhooks.words.js";

const SHORT = 60; // characters of an answer in the list
const KINDS = { delivered: "good", failing: "warn", dead: "bad" };
const STATUSES = ["", "failing", "dead", "delivered"];

/** `may`: whether they may be sent again; `actions` stand beside the heading. */
export function Deliveries({ webhook, may, actions }) {
  const t = useWords(words);
  const [status, setStatus] = useState("");
  const path = `/api/webhooks/${webhook.id}/deliveries`;
  const { data, error, reload, more } = useFirst(path, { status });
  const found = data?.deliveries ?? [];
  return html`<${Card} title=${t("deliveries")} actions=${actions}>
    <div class="filters">
      <select aria-label=${t("status")} value=${status} onChange=${(event) => setStatus(event.target.value)}>
        ${STATUSES.map((each) => html`<option value=${each} selected=${each === status}>${each ? t(`status.${each}`) : t("all")}</option>`)}
      </select>
      ${may && found.length > 0 && html`<${AllAgain} path=${path} deliveries=${found} onDone=${reload} />`}
    </div>
    ${error && html`<${Failure} problem=${error} retry=${reload} />`}
    ${!data && !error && html`<${Spinner} />`}
    ${data && !found.length && html`<${Empty} title=${t(status ? "noneSuch" : "noDelivery")}>${!status && t("noDeliveryYet")}<//>`}
    ${found.length > 0 && html`<${Rows} path=${path} deliveries=${found} may=${may} onDone=${reload} />`}
    <${More} onMore=${more} />
  <//>`;
}

function Rows({ path, deliveries, may, onDone }) {
  const t = useWords(words);
  const toast = useToast();
  const [opened, setOpened] = useState(null);
  const again = async (row) => {
    const found = await toast.doing(post(`${path}/${row.id}/redeliver`));
    if (found) toast(found.status === "delivered" ? t("delivered") : t("failedAgain", { error: found.error ?? "" }), found.status === "delivered" ? "good" : "bad");
    onDone();
  };
  const columns = [
    { key: "event", title: t("event"), cell: (row) => html`<button type="button" class="button quiet plainly" onClick=${() => setOpened(row)}><code>${row.event}</code></button>` },
    { key: "status", title: t("status"), cell: (row) => html`<${Status} status=${row.status} />` },
    { key: "attempts", title: t("attempts"), align: "number", cell: (row) => count(row.attempts) },
    { key: "latency", title: t("latency"), align: "number", cell: (row) => duration(row.latencyMs) },
    { key: "answer", title: t("answer"), cell: (row) => answerOf(row) },
    { key: "at", title: t("lastTry"), cell: (row) => html`<time datetime=${row.lastAttemptAt} title=${time(row.lastAttemptAt)}>${ago(row.lastAttemptAt)}</time>` },
    may && { key: "acts", title: "", cell: (row) => html`<${Button} kind="quiet" onClick=${() => again(row)}>${t("redeliver")}<//>` },
  ].filter(Boolean);
  const shown = opened && (deliveries.find((each) => each.id === opened.id) ?? opened);
  return html`<${Table} columns=${columns} rows=${deliveries} keyOf=${(row) => row.id} caption=${t("deliveries")} />
    ${shown && html`<${Opened} delivery=${shown} onClose=${() => setOpened(null)} />`}`;
}

/** The answer's status and beginning, or why there was none. */
function answerOf({ response, error }) {
  if (!response) return html`<span class="dim">${error ?? "–"}</span>`;
  const begins = response.body.replace(/\s+/g, " ").slice(0, SHORT);
  return html`<b>${response.status}</b> <span class="dim">${begins}</span>`;
}

function Status({ status }) {
  const t = useWords(words);
  return html`<${Badge} kind=${KINDS[status]}>${t(`status.${status}`)}<//>`;
}

function Opened({ delivery, onClose }) {
  const t = useWords(words);
  const { response } = delivery;
  return html`<${Dialog} title=${delivery.event} onClose=${onClose}>
    <dl class="facts">
      <dt>${t("status")}</dt><dd><${Status} status=${delivery.status} /></dd>
      <dt>webhook-id</dt><dd><code>${delivery.id}</code></dd>
      <dt>${t("session")}</dt><dd>${delivery.sessionId}</dd>
      <dt>${t("attempts")}</dt><dd>${count(delivery.attempts)}</dd>
      <dt>${t("firstTry")}</dt><dd>${time(delivery.firstAttemptAt)}</dd>
      <dt>${t("lastTry")}</dt><dd>${time(delivery.lastAttemptAt)}</dd>
      <dt>${t("latency")}</dt><dd>${duration(delivery.latencyMs)}</dd>
      ${delivery.error && html`<dt>${t("error")}</dt><dd class="bad">${delivery.error}</dd>`}
      ${response && html`<dt>${t("answer")}</dt><dd>${response.status}</dd>`}
    </dl>
    ${response?.body && html`<${Code} value=${response.body} label=${t("answerBody")} />`}
    <div class="actions"><${Button} kind="main" onClick=${onClose}>${t("close")}<//></div>
  <//>`;
}

/** All that are shown once more, one by one in the order in which they happened. */
function AllAgain({ path, deliveries, onDone }) {
  const t = useWords(words);
  const toast = useToast();
  const [asked, setAsked] = useState(null);
  const send = async () => {
    let delivered = 0;
    for (const { id } of asked) {
      const found = await toast.doing(post(`${path}/${id}/redeliver`));
      if (found?.status === "delivered") delivered += 1;
    }
    const all = asked.length;
    toast(t("deliveredOf", { delivered: count(delivered), all: count(all) }), delivered === all ? "good" : "bad");
    onDone();
  };
  const oldestFirst = () => setAsked([...deliveries].sort((a, b) => a.id.localeCompare(b.id)));
  return html`<${Button} onClick=${oldestFirst}>${t("redeliverAll", { count: count(deliveries.length) })}<//>
    ${asked && html`<${Confirm} title=${t("redeliverAll", { count: count(asked.length) })} action=${t("redeliver")} onConfirm=${send} onClose=${() => setAsked(null)}>${t("redeliverAllText")}<//>`}`;
}
