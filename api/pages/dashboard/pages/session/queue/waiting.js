/** What waits to be sent, in the order in which it will be. */

import { html, useState } from "../../../lib/vendor/preact.js";
import { count, duration, time } from "../../../lib/format.js";
import { del, ofSession, post } from "../../../lib/http.js";
import { useFirst } from "../../../lib/live.js";
import { can, useMe } from "../../../lib/me.js";
import { useWords } from "../../../lib/words.js";
import { Badge } from "../../../parts/badge.js";
import { Button } from "../../../parts/button.js";
import { Confirm } from "../../../parts/dialog.js";
import { useToast } from "../../../parts/toast.js";
import { words } from "../queue.words.js";
import { List } from "./list.js";
import { Message } from "./message.js";

export function Waiting({ session }) {
  const t = useWords(words);
  const toast = useToast();
  const may = can(useMe(), "send", session.id);
  const [asking, setAsking] = useState(false);
  const path = ofSession(session.id, "queue");
  const found = useFirst(path);
  const queued = found.data?.queued ?? 0;
  const clear = async () => {
    const { cancelled } = await del(path);
    toast(t("cancelledMany", { count: count(cancelled) }));
    found.reload();
  };
  const cancel = async (row) => {
    if (await toast.doing(post(ofSession(session.id, "messages", row.messageId, "cancel")))) toast(t("cancelled"));
    found.reload();
  };
  const columns = [
    { key: "to", title: t("to"), cell: (row) => html`<${Message} row=${row} />` },
    { key: "priority", title: t("priority"), cell: (row) => t(`priority.${row.priority}`) },
    { key: "before", title: t("before"), align: "number", cell: (row) => count(row.position) },
    { key: "when", title: t("when"), cell: (row) => when(row, t) },
    { key: "expires", title: t("expires"), cell: (row) => row.expiresAt && time(row.expiresAt) },
    may && { key: "acts", title: "", cell: (row) => html`<${Button} kind="quiet" onClick=${() => cancel(row)}>${t("cancel")}<//>` },
  ].filter(Boolean);
  const actions = may && queued > 0 && html`<${Button} kind="danger" onClick=${() => setAsking(true)}>${t("cancelAll")}<//>`;
  return html`<${List}
      title=${queued ? t("waitingCount", { count: count(queued) }) : t("waiting")}
      actions=${actions} found=${found} rows=${found.data?.messages} columns=${columns} keyOf=${(row) => row.messageId} empty=${t("nothingWaits")} />
    ${asking && html`<${Confirm} title=${t("cancelAll")} action=${t("cancelAll")} onConfirm=${clear} onClose=${() => setAsking(false)}>${t("cancelAllText", { count: count(queued) })}<//>`}`;
}

/** When it is sent, as far as anybody can tell. */
function when(row, t) {
  if (row.held) return html`<${Badge}>${t("held")}<//>`;
  if (row.sendAt && new Date(row.sendAt) > Date.now()) return time(row.sendAt);
  if (row.etaMs === 0) return t("now");
  return row.etaMs === null ? t("unknown") : t("in", { wait: duration(row.etaMs) });
}
