/** The gateways that share the database: which there are, what each has, and a way to take one out. */

import { html, useState } from "../lib/vendor/preact.js";
import { ago, bytes, count, duration, share, time } from "../lib/format.js";
import { get, post } from "../lib/http.js";
import { usePolled } from "../lib/live.js";
import { can, useMe } from "../lib/me.js";
import { useWords } from "../lib/words.js";
import { Badge } from "../parts/badge.js";
import { Button } from "../parts/button.js";
import { Confirm } from "../parts/dialog.js";
import { Card, Failure, Page, Spinner } from "../parts/page.js";
import { Table } from "../parts/table.js";
import { useToast } from "../parts/toast.js";
import { words } from "./nodes.words.js";

const POLLED = 2000; // ms
const FULL = 0.9; // of its memory, from which on a node takes no more sessions

export default function Nodes() {
  const t = useWords(words);
  const me = useMe();
  const toast = useToast();
  const [leaving, setLeaving] = useState(null); // a node
  const { data, error, reload } = usePolled(() => get("/api/nodes"), POLLED);
  const drain = async () => {
    await post(`/api/nodes/${encodeURIComponent(leaving.id)}/drain`);
    toast(t("asked", leaving));
    reload();
  };
  return html`<${Page} title=${t("page.nodes")}>
    ${error && html`<${Failure} problem=${error} retry=${reload} />`} ${!data && !error && html`<${Spinner} />`}
    ${data?.unowned > 0 && html`<p class="warn" role="status">${t("unowned", { count: count(data.unowned) })}</p>`}
    ${data &&
    html`<${Card} class="nodes">
      <p class="dim">${t(data.shared ? "about" : "alone")}</p>
      <${Table} columns=${columns(t, data, can(me, "admin") && setLeaving)} rows=${data.nodes} keyOf=${(node) => node.id} caption=${t("page.nodes")} />
    <//>`}
    ${data && !data.shared && html`<${Card} title=${t("more")}><p>${t("how")}</p><//>`}
    ${leaving &&
    html`<${Confirm} title=${t("sure", leaving)} action=${t("drain")} onConfirm=${drain} onClose=${() => setLeaving(null)}>
      ${t(data.nodes.some((node) => node.id !== leaving.id && node.state === "running") ? "sureText" : "sureNobody", { ...leaving, sessions: count(leaving.sessions) })}
      ${leaving.self && ` ${t("sureSelf")}`}
    <//>`}
  <//>`;
}

/** Those of the table; of one that shares with no other, fewer. Without `leave` nobody can be asked to. */
function columns(t, { at, shared, nodes }, leave) {
  const total = nodes.reduce((all, node) => all + node.sessions, 0);
  const left = (node) => new Date(node.expiresAt) - new Date(at);
  const late = (node) => shared && left(node) < 0;
  const act = (node) =>
    node.state === "running" && !late(node) && html`<${Button} kind="quiet" aria-label=${t("drainOne", node)} onClick=${() => leave(node)}>${t("drain")}<//>`;
  const ofMany = [
    { key: "memory", title: t("memory"), cell: (node) => node.load && html`<${Memory} ...${node.load} t=${t} />` },
    { key: "lease", title: t("lease"), align: "number", cell: (node) => (late(node) ? t("over") : duration(left(node))) },
  ];
  return [
    { key: "name", title: t("name"), cell: (node) => html`<${Name} node=${node} t=${t} />` },
    { key: "state", title: t("status"), cell: (node) => html`<${State} state=${late(node) ? "silent" : node.state} t=${t} />` },
    { key: "sessions", title: t("page.sessions"), cell: (node) => html`<${Sessions} many=${node.sessions} total=${total} />` },
    ...(shared ? ofMany : []),
    { key: "duties", title: t("duties"), cell: (node) => node.duties.map((duty) => t(`duty.${duty}`)).join(", ") || "–" },
    { key: "version", title: t("version"), cell: (node) => html`${node.version}<small class="under"><time datetime=${node.startedAt} title=${time(node.startedAt)}>${ago(node.startedAt)}</time></small>` },
    ...(shared && leave ? [{ key: "acts", title: "", cell: act }] : []),
  ];
}

function Name({ node, t }) {
  return html`<span title=${node.id}>${node.name}</span>${node.self && html` <small>(${t("self")})</small>`}
    ${node.url && html`<small class="under mono">${node.url}</small>`}`;
}

const KINDS = { running: "good", draining: "busy", silent: "bad" };

function State({ state, t }) {
  return html`<${Badge} kind=${KINDS[state]}>${t(`is.${state}`)}<//>`;
}

function Sessions({ many, total }) {
  const part = total && many / total;
  return html`<${Bar} full=${part}>${count(many)} ${total > 0 && html`<small>${share(part)}</small>`}<//>`;
}

function Memory({ memoryBytes, memoryTotalBytes, t }) {
  const full = memoryTotalBytes && memoryBytes / memoryTotalBytes;
  return html`<${Bar} full=${full} kind=${full > FULL ? "warn" : ""}>
    ${bytes(memoryBytes)} <small>${memoryTotalBytes > 0 && t("of", { total: bytes(memoryTotalBytes) })}</small>
    ${full > FULL && html`<small class="under">${t("full")}</small>`}
  <//>`;
}

/** A figure, and below it how much of the whole that is. */
function Bar({ full, kind = "", children }) {
  return html`<div class="part ${kind}">
    <span>${children}</span>
    <span class="gauge" aria-hidden="true"><i style=${{ transform: `scaleX(${Math.min(1, full)})` }}></i></span>
  </div>`;
}
