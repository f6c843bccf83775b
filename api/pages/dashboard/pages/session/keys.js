/** A session's keys: listed, made, rotated and revoked; and what is done with one. */

import { html, useState } from "../../lib/vendor/preact.js";
import { ago, time } from "../../lib/format.js";
import { del, get, post } from "../../lib/http.js";
import { usePolled } from "../../lib/live.js";
import { useMe } from "../../lib/me.js";
import { useWords } from "../../lib/words.js";
import { Badge } from "../../parts/badge.js";
import { Button } from "../../parts/button.js";
import { Confirm, Dialog } from "../../parts/dialog.js";
import { Field, Form } from "../../parts/form.js";
import { Card, Empty, Failure, Spinner } from "../../parts/page.js";
import { Table } from "../../parts/table.js";
import { useToast } from "../../parts/toast.js";
import { Examples } from "./examples.js";
import { words } from "./keys.words.js";
import { forget, MadeKey, remember, remembered } from "./made.js";
import { NewKey } from "./newkey.js";

export default function Keys({ session }) {
  const t = useWords(words);
  const me = useMe();
  const toast = useToast();
  const { data, error, reload } = usePolled(() => get("/api/keys", { sessionId: session.id }), 0, [session.id]);
  const [asking, setAsking] = useState(null); // {act: "make" | "rotate" | "revoke" | "made", key, apiKey}
  const close = () => setAsking(null);
  const made = ({ key, apiKey }) => {
    remember(me, session.id, apiKey);
    setAsking({ act: "made", key, apiKey });
    reload();
  };
  const revoke = async () => {
    await del(`/api/keys/${encodeURIComponent(asking.key.id)}`);
    forget(me, session.id, asking.key.prefix);
    toast(t("done.revoke", { name: asking.key.name }));
    reload();
  };
  const rotate = async ({ graceSeconds }) => made(await post(`/api/keys/${encodeURIComponent(asking.key.id)}/rotate`, { graceSeconds: graceSeconds ?? 0 }));
  const cancel = html`<${Button} onClick=${close}>${t("cancel")}<//>`;
  return html`
    <${Card} title=${t("title")} actions=${html`<${Button} kind="main" onClick=${() => setAsking({ act: "make" })}>${t("new")}<//>`}>
      ${error && html`<${Failure} problem=${error} retry=${reload} />`}
      ${!data && !error && html`<${Spinner} />`}
      ${data?.keys.length === 0 && html`<${Empty} title=${t("none")} />`}
      ${data?.keys.length > 0 && html`<${Table} columns=${columns(t, setAsking)} rows=${[...data.keys].sort(byUse)} keyOf=${(key) => key.id} caption=${t("title")} />`}
    <//>
    <${Examples} apiKey=${remembered(me, session.id)} />
    ${asking?.act === "make" && html`<${Dialog} title=${t("new")} onClose=${close}><${NewKey} session=${session} onMade=${made} actions=${cancel} /><//>`}
    ${asking?.act === "made" &&
    html`<${Dialog} title=${asking.key.name} onClose=${close}>
      <${MadeKey} apiKey=${asking.apiKey} />
      <p class="dim">${t("inExamples")}</p>
      <div class="actions"><${Button} kind="main" onClick=${close}>${t("done")}<//></div>
    <//>`}
    ${asking?.act === "rotate" &&
    html`<${Dialog} title=${t("rotateTitle", { name: asking.key.name })} onClose=${close}>
      <p>${t("rotateText")}</p>
      <${Form} onSubmit=${rotate} submit=${t("rotate")} actions=${cancel}>
        <${Field} label=${t("grace")} hint=${t("graceHint")} name="graceSeconds" type="number" min="0" max="2592000" step="1" defaultValue="3600" />
      <//>
    <//>`}
    ${asking?.act === "revoke" && html`<${Confirm} title=${t("revokeTitle", { name: asking.key.name })} action=${t("revoke")} onConfirm=${revoke} onClose=${close}>${t("revokeText")}<//>`}
  `;
}

/** How a key stands: good, ending (rotated, in its grace time), revoked or expired. */
export function standing({ revokedAt, expiresAt }, now = Date.now()) {
  if (revokedAt && new Date(revokedAt) <= now) return "revoked";
  if (expiresAt && new Date(expiresAt) <= now) return "expired";
  return revokedAt ? "ending" : "good";
}

const KINDS = { good: "good", ending: "warn", revoked: "idle", expired: "idle" };
const dead = (key) => ["revoked", "expired"].includes(standing(key));
const byUse = (a, b) => dead(a) - dead(b) || b.createdAt.localeCompare(a.createdAt);

function columns(t, ask) {
  return [
    { key: "name", title: t("name"), cell: (key) => html`${key.name}<small class="under mono">${key.prefix}…</small>` },
    { key: "standing", title: t("status"), cell: (key) => html`<${Badge} kind=${KINDS[standing(key)]}>${t(standing(key), { when: ago(key.revokedAt) })}<//>` },
    { key: "scopes", title: t("scopes"), cell: (key) => html`<span class="dim">${key.scopes.join(", ")}</span>` },
    { key: "used", title: t("used"), cell: (key) => (key.lastUsedAt ? ago(key.lastUsedAt) : t("never")) },
    { key: "made", title: t("made"), cell: (key) => time(key.createdAt) },
    { key: "bounds", title: t("bounds"), cell: (key) => bounds(key, t) },
    {
      key: "acts",
      title: "",
      align: "number",
      cell: (key) =>
        !dead(key) &&
        html`<div class="actions">
          <${Button} kind="quiet" aria-label="${t("rotate")}: ${key.name}" onClick=${() => ask({ act: "rotate", key })}>${t("rotate")}<//>
          <${Button} kind="quiet" aria-label="${t("revoke")}: ${key.name}" onClick=${() => ask({ act: "revoke", key })}>${t("revoke")}<//>
        </div>`,
    },
  ];
}

const bounds = (key, t) => [key.expiresAt && t("until", { when: time(key.expiresAt) }), key.allowedIps.join(", ")].filter(Boolean).join("; ") || "–";
