/** Batches: how far they are, held back and called off. */

import { html, useState } from "../../../lib/vendor/preact.js";
import { ago, count, time } from "../../../lib/format.js";
import { ofSession, post } from "../../../lib/http.js";
import { useFirst } from "../../../lib/live.js";
import { can, useMe } from "../../../lib/me.js";
import { useWords } from "../../../lib/words.js";
import { Badge } from "../../../parts/badge.js";
import { Button } from "../../../parts/button.js";
import { Confirm } from "../../../parts/dialog.js";
import { useToast } from "../../../parts/toast.js";
import { words } from "../queue.words.js";
import { List } from "./list.js";

export function Batches({ session }) {
  const t = useWords(words);
  const toast = useToast();
  const may = can(useMe(), "send", session.id);
  const [ending, setEnding] = useState(null);
  const found = useFirst(ofSession(session.id, "batches"));
  const act = (row, what) => post(ofSession(session.id, "batches", row.batchId, what));
  const turn = async (row) => {
    await toast.doing(act(row, row.state === "paused" ? "resume" : "pause"));
    found.reload();
  };
  const cancel = async () => {
    await act(ending, "cancel");
    toast(t("batchCancelled"));
    found.reload();
  };
  const columns = [
    { key: "batch", title: t("batch"), cell: (row) => html`<code>${row.batchId}</code>` },
    { key: "state", title: t("status"), cell: (row) => html`<${State} batch=${row} />` },
    { key: "progress", title: t("progress"), cell: (row) => html`<${Progress} batch=${row} />` },
    { key: "created", title: t("created"), cell: (row) => html`<time datetime=${row.createdAt} title=${time(row.createdAt)}>${ago(row.createdAt)}</time>` },
    may && {
      key: "acts",
      title: "",
      cell: (row) =>
        !row.done &&
        html`<div class="actions">
          ${row.state !== "cancelled" && html`<${Button} kind="quiet" onClick=${() => turn(row)}>${row.state === "paused" ? t("resume") : t("pause")}<//>`}
          ${row.state !== "cancelled" && html`<${Button} kind="quiet" onClick=${() => setEnding(row)}>${t("callOff")}<//>`}
        </div>`,
    },
  ].filter(Boolean);
  return html`<${List} title=${t("batches")} found=${found} rows=${found.data?.batches} columns=${columns} keyOf=${(row) => row.batchId} empty=${t("noBatch")} />
    ${ending && html`<${Confirm} title=${t("batchCancelTitle")} action=${t("callOff")} onConfirm=${cancel} onClose=${() => setEnding(null)}>${t("batchCancelText", { count: count(ending.counts.queued) })}<//>`}`;
}

function State({ batch }) {
  const t = useWords(words);
  if (batch.state === "cancelled") return html`<${Badge} kind="bad">${t("is.cancelled")}<//>`;
  if (batch.done) return html`<${Badge} kind="good">${t("is.done")}<//>`;
  return batch.state === "paused" ? html`<${Badge} kind="warn">${t("is.paused")}<//>` : html`<${Badge} kind="busy">${t("is.running")}<//>`;
}

/** How many have gone out, and what became of all, in words too. */
function Progress({ batch }) {
  const t = useWords(words);
  const { total, counts } = batch;
  const over = total - counts.queued - counts.sending;
  const said = Object.entries(counts).filter(([, number]) => number > 0).map(([status, number]) => `${count(number)} ${t(`status.${status}`)}`);
  return html`<progress class="wide" max=${total} value=${over} aria-label=${t("progress")}></progress>
    <small class="under">${count(over)} / ${count(total)} · ${said.join(", ")}</small>`;
}
