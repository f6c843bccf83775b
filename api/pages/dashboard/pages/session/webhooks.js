/** A session's webhooks, and one of them. */

import { html, useState } from "../../lib/vendor/preact.js";
import { get, ofSession } from "../../lib/http.js";
import { usePolled } from "../../lib/live.js";
import { can, useMe } from "../../lib/me.js";
import { href } from "../../lib/route.js";
import { useWords } from "../../lib/words.js";
import { Button } from "../../parts/button.js";
import { Card, Empty, Failure, Spinner } from "../../parts/page.js";
import { Table } from "../../parts/table.js";
import { useToast } from "../../parts/toast.js";
import { Acts } from "./webhooks/acts.js";
import { Editor } from "./webhooks/editor.js";
import { One } from "./webhooks/one.js";
import { Secret } from "./webhooks/secret.js";
import { Behind, EventsTold, WebhookBadge } from "./webhooks/state.js";
import { words } from "./webhooks.words.js";

const OWN = 4000; // ms between two looks
const OF_ALL = 20000;

/** The tab at #/sessions/ID/webhooks, and below it a webhook by its id. */
export default function Webhooks({ session, parts: [id] }) {
  if (id) return html`<${One} key=${id} id=${id} session=${session} />`;
  return html`<${List} session=${session} />`;
}

function List({ session }) {
  const t = useWords(words);
  const me = useMe();
  const toast = useToast();
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState(null);
  const everywhere = me.sessions === null && can(me, "read");
  const own = usePolled(() => get(ofSession(session.id, "webhooks")), OWN, [session.id]);
  const all = usePolled(() => (everywhere ? get("/api/webhooks") : { webhooks: [] }), OF_ALL);
  const reload = () => {
    own.reload();
    all.reload();
  };
  const saved = ({ secret }) => {
    setAdding(false);
    setMade(secret);
    toast(t("added"));
    reload();
  };
  const shared = (all.data?.webhooks ?? []).filter((each) => each.sessionId === null);
  const add = can(me, "settings", session.id) && html`<${Button} kind="main" onClick=${() => setAdding(true)}>${t("add")}<//>`;
  return html`
    <${Card} title=${t("title")} actions=${add}>
      <p class="dim">${t("about")}</p>
      ${own.error && html`<${Failure} problem=${own.error} retry=${own.reload} />`}
      ${!own.data && !own.error && html`<${Spinner} />`}
      ${own.data?.webhooks.length === 0 && html`<${Empty} title=${t("none")}>${t("noneYet")}<//>`}
      ${own.data?.webhooks.length > 0 && html`<${Rows} session=${session} webhooks=${own.data.webhooks} caption=${t("title")} reload=${reload} />`}
    <//>
    ${shared.length > 0 &&
    html`<${Card} title=${t("ofAll")}>
      <p class="dim">${t("ofAllAbout")}</p>
      <${Rows} session=${session} webhooks=${shared} caption=${t("ofAll")} reload=${reload} />
    <//>`}
    ${adding && html`<${Editor} session=${session} onSaved=${saved} onClose=${() => setAdding(false)} />`}
    ${made && html`<${Secret} value=${made} onClose=${() => setMade(null)} />`}
  `;
}

function Rows({ session, webhooks, caption, reload }) {
  const t = useWords(words);
  const columns = [
    { key: "url", title: t("url"), cell: (row) => html`<a class="mono url" href=${href("sessions", session.id, "webhooks", row.id)}>${row.url}</a>` },
    { key: "events", title: t("events"), cell: (row) => html`<${EventsTold} webhook=${row} />` },
    { key: "state", title: t("status"), cell: (row) => html`<${WebhookBadge} webhook=${row} />` },
    { key: "behind", title: t("behind"), cell: (row) => html`<${Behind} webhook=${row} />` },
    { key: "failures", title: t("failures"), align: "number", cell: (row) => row.circuit.failures },
    { key: "acts", title: "", cell: (row) => html`<${Acts} webhook=${row} session=${session} reload=${reload} brief />` },
  ];
  return html`<${Table} columns=${columns} rows=${webhooks} keyOf=${(row) => row.id} caption=${caption} />`;
}
