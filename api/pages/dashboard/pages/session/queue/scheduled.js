/** What is to be sent at a time: put off, reworded, called off. */

import { html, useState } from "../../../lib/vendor/preact.js";
import { ago, time } from "../../../lib/format.js";
import { del, ofSession, patch } from "../../../lib/http.js";
import { useFirst } from "../../../lib/live.js";
import { can, useMe } from "../../../lib/me.js";
import { useWords } from "../../../lib/words.js";
import { Button } from "../../../parts/button.js";
import { Confirm, Dialog } from "../../../parts/dialog.js";
import { Field, Form } from "../../../parts/form.js";
import { useToast } from "../../../parts/toast.js";
import { words } from "../queue.words.js";
import { List } from "./list.js";
import { Message } from "./message.js";

export function Scheduled({ session }) {
  const t = useWords(words);
  const toast = useToast();
  const may = can(useMe(), "send", session.id);
  const [changing, setChanging] = useState(null);
  const [ending, setEnding] = useState(null);
  const found = useFirst(ofSession(session.id, "scheduled"));
  const path = (row) => ofSession(session.id, "scheduled", row.messageId);
  const cancel = async () => {
    await del(path(ending));
    toast(t("cancelled"));
    found.reload();
  };
  const changed = () => {
    setChanging(null);
    toast(t("changed"));
    found.reload();
  };
  const columns = [
    { key: "to", title: t("to"), cell: (row) => html`<${Message} row=${row} />` },
    { key: "at", title: t("at"), cell: (row) => html`<time datetime=${row.sendAt} title=${ago(row.sendAt)}>${time(row.sendAt)}</time>` },
    { key: "priority", title: t("priority"), cell: (row) => t(`priority.${row.priority}`) },
    { key: "expires", title: t("expires"), cell: (row) => row.expiresAt && time(row.expiresAt) },
    may && {
      key: "acts",
      title: "",
      cell: (row) => html`<div class="actions"><${Button} kind="quiet" onClick=${() => setChanging(row)}>${t("edit")}<//><${Button} kind="quiet" onClick=${() => setEnding(row)}>${t("callOff")}<//></div>`,
    },
  ].filter(Boolean);
  return html`<${List} title=${t("scheduled")} found=${found} rows=${found.data?.messages} columns=${columns} keyOf=${(row) => row.messageId} empty=${t("nothingScheduled")} />
    ${changing && html`<${Change} row=${changing} path=${path(changing)} onChanged=${changed} onClose=${() => setChanging(null)} />`}
    ${ending && html`<${Confirm} title=${t("callOffTitle")} action=${t("callOff")} onConfirm=${cancel} onClose=${() => setEnding(null)}>${t("callOffText", { chat: ending.chat, time: time(ending.sendAt) })}<//>`}`;
}

function Change({ row, path, onChanged, onClose }) {
  const t = useWords(words);
  const before = forInput(row.sendAt);
  const save = async ({ sendAt, message }) => {
    const changes = {};
    if (sendAt && sendAt !== before) changes.sendAt = new Date(sendAt).toISOString();
    if (message !== undefined && message !== row.text) changes.message = message;
    if (Object.keys(changes).length) await patch(path, changes);
    onChanged();
  };
  return html`<${Dialog} title=${t("changeTitle")} onClose=${onClose}>
    <${Form} onSubmit=${save} submit=${t("save")} actions=${html`<${Button} onClick=${onClose}>${t("cancel")}<//>`}>
      <${Field} label=${t("at")} hint=${t("atHint")} name="sendAt" type="datetime-local" step="1" defaultValue=${before} required />
      ${row.type === "text" && html`<${Field} label=${t("text")} name="message" rows="5" defaultValue=${row.text} required />`}
    <//>
  <//>`;
}

/** A moment as a field for date and time takes it: this place's time, to the second. */
function forInput(iso) {
  const at = new Date(iso);
  return new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}
