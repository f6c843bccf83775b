/** What the account is kept from, and until when. */

import { html } from "../../lib/vendor/preact.js";
import { ago, time } from "../../lib/format.js";
import { get, ofSession } from "../../lib/http.js";
import { usePolled } from "../../lib/live.js";
import { useWords } from "../../lib/words.js";
import { Badge } from "../../parts/badge.js";
import { Card, Failure, Spinner } from "../../parts/page.js";
import { Table } from "../../parts/table.js";
import { useAgain } from "./again.js";
import { words } from "./health.words.js";

const POLLED = 30000; // ms: what ends by itself is no event
const KINDS = { ok: "good", new_chat_cap: "warn", restricted: "warn", banned: "bad", logged_out: "bad" };

export default function Health({ session, news }) {
  const t = useWords(words);
  const { data: health, error, reload } = usePolled(() => get(ofSession(session.id, "health")), POLLED, [session.id]);
  useAgain(reload, [news, session.statusSince]);
  if (!health) return error ? html`<${Failure} problem=${error} retry=${reload} />` : html`<${Spinner} />`;
  const columns = [
    { key: "state", title: t("trouble"), cell: (each) => html`<${Badge} kind=${KINDS[each.state]}>${t(`is.${each.state}`)}<//>` },
    { key: "reason", title: t("reason"), cell: (each) => each.reason ?? "–" },
    { key: "since", title: t("since"), cell: (each) => time(each.since) },
    { key: "until", title: t("until"), cell: (each) => (each.until ? `${time(each.until)} (${ago(each.until)})` : t("open")) },
  ];
  return html`<${Card} title=${t("title")}>
    <p><${Badge} kind=${KINDS[health.state]}>${t(`is.${health.state}`)}<//></p>
    <p class="dim">${t(health.state === "ok" && !session.jid ? "unlinked" : `means.${health.state}`)}</p>
    ${health.troubles.length > 0 && html`<${Table} columns=${columns} rows=${health.troubles} keyOf=${(each) => each.state} caption=${t("title")} />`}
  <//>`;
}
