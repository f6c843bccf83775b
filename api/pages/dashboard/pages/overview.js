/** How all is, at a glance: what is wrong first, then how much goes on. */

import { html, useEffect, useRef, useState } from "../lib/vendor/preact.js";
import { ago, bytes, count, duration } from "../lib/format.js";
import { get } from "../lib/http.js";
import { useEvents, usePolled } from "../lib/live.js";
import { can, useMe } from "../lib/me.js";
import { href } from "../lib/route.js";
import { useWords } from "../lib/words.js";
import { StateBadge } from "../parts/badge.js";
import { Loaded } from "../parts/loaded.js";
import { Card, Failure, Page, Spinner } from "../parts/page.js";
import { Plot } from "../parts/plot.js";
import { Table } from "../parts/table.js";
import { wrongIn } from "./overview/wrong.js";
import { Wrong } from "./overview/list.js";
import { words } from "./overview.words.js";

const POLLED = 3000; // ms
const GATHERED = 300; // ms: what is heard together is asked about once
const START = () => import("./overview/start.js");
const HOURS = ["1", "24", "168"];

export default function Overview() {
  const t = useWords(words);
  const me = useMe();
  const [hours, setHours] = useState("1");
  const { data, error, reload } = usePolled(() => get("/api/overview", { hours }), POLLED);
  useEffect(() => {
    if (data) reload(); // what is shown stays until the rest is there
  }, [hours]);
  const due = useRef(null);
  useEvents({ events: ["session.status"], off: !can(me, "read") }, () => {
    due.current ??= setTimeout(() => {
      due.current = null;
      reload();
    }, GATHERED);
  });
  useEffect(() => () => clearTimeout(due.current), []);
  if (!data) return html`<${Page} title=${t("page.overview")}>${error ? html`<${Failure} problem=${error} retry=${reload} />` : html`<${Spinner} />`}<//>`;
  if (data.sessions.total === 0) return html`<${Loaded} load=${START} me=${me} />`;
  const parts = { ...data, t };
  return html`<${Page} title=${t("page.overview")}>
    ${error && html`<${Failure} problem=${error} retry=${reload} />`}
    <${Wrong} found=${wrongIn(data, Date.now())} t=${t} />
    <${Traffic} ...${parts} hours=${hours} setHours=${setHours} />
    <div class="grid">
      <${Sessions} ...${parts} />
      <${Queue} ...${parts} />
      <${Webhooks} ...${parts} />
    </div>
    <div class="halves">
      <${Gateway} ...${parts} />
      ${data.running && html`<${Cells} cells=${data.running.cells} t=${t} />`}
    </div>
  <//>`;
}

const sum = (traffic, field) => traffic.reduce((all, each) => all + each[field], 0);

function Traffic({ messages, hours, setHours, t }) {
  const { traffic } = messages;
  const failed = sum(traffic, "failed");
  const choice = html`<div class="switches" role="group" aria-label=${t("span")}>
    ${HOURS.map((each) => html`<button type="button" class="button quiet" aria-pressed=${each === hours} onClick=${() => setHours(each)}>${t(`hours.${each}`)}</button>`)}
  </div>`;
  const series = [
    { field: "received", title: t("received"), kind: "a" },
    { field: "sent", title: t("sent"), kind: "b" },
  ];
  return html`<${Card} title=${t("messages")} actions=${choice}>
    <${Figures} shown=${[
      [sum(traffic, "received"), t("received")],
      [sum(traffic, "sent"), t("sent")],
      [failed, t("failed"), failed ? "bad" : ""],
    ]} />
    <${Plot} points=${traffic} series=${series} title=${t("plot")} />
  <//>`;
}

function Figures({ shown }) {
  return html`<div class="figures">${shown.map(([value, title, kind = ""]) => html`<div class=${kind}><b>${typeof value === "number" ? count(value) : value}</b><span>${title}</span></div>`)}</div>`;
}

function Sessions({ sessions, t }) {
  const all = html`<a href=${href("sessions")}>${t("allSessions")}</a>`;
  return html`<${Card} title=${t("page.sessions")} actions=${all}>
    <ul class="plain tallied">
      ${Object.entries(sessions.byStatus).map(
        ([status, many]) => html`<li key=${status}><a href=${href("sessions", { status })}><${StateBadge} status=${status} /></a><b>${count(many)}</b></li>`,
      )}
    </ul>
  <//>`;
}

function Queue({ queue, t }) {
  return html`<${Card} title=${t("queue")}>
    <${Figures} shown=${[
      [queue.waiting, t("waiting")],
      [queue.scheduled, t("scheduled")],
      ...(queue.held ? [[queue.held, t("held")]] : []),
    ]} />
    ${queue.oldestDue && html`<p class="dim">${t("oldest", { ago: ago(queue.oldestDue) })}</p>`}
  <//>`;
}

function Webhooks({ webhooks, t }) {
  return html`<${Card} title=${t("webhooks")}>
    <${Figures} shown=${[
      [webhooks.active, t("active")],
      [webhooks.paused, t("paused")],
      ...(webhooks.circuitsOpen ? [[webhooks.circuitsOpen, t("open"), "bad"]] : []),
      ...(webhooks.deadLetters ? [[webhooks.deadLetters, t("givenUp"), "bad"]] : []),
    ]} />
  <//>`;
}

function Gateway({ running, version, node, startedAt, t }) {
  const facts = [
    [t("node"), node],
    [t("version"), version],
    [t("started"), ago(startedAt)],
  ];
  if (running) {
    const { database, deadLetters } = running;
    facts.push(
      [t("database"), t(database.reachable ? "reachable" : "away")],
      [t("size"), bytes(database.sizeBytes)],
      [t("commit"), database.commitMs === null ? "–" : duration(database.commitMs)],
      [t("writes"), count(database.waiting)],
      [t("lost"), html`<a href=${href("tree", "dead-letters")}>${count(deadLetters)}</a>`],
    );
  }
  return html`<${Card} title=${t("gateway")}>
    <dl class="facts">${facts.map(([name, value]) => html`<dt key=${`${name} `}>${name}</dt><dd key=${name}>${value}</dd>`)}</dl>
  <//>`;
}

function Cells({ cells, t }) {
  const columns = [
    { key: "id", title: t("cell"), cell: (cell) => html`<a href=${href("tree", { node: `cells/${cell.id}` })}>${cell.id}</a>` },
    { key: "sessions", title: t("page.sessions"), align: "number", cell: (cell) => count(cell.sessions) },
    { key: "memory", title: t("memory"), align: "number", cell: (cell) => bytes(cell.memoryMb * 1024 * 1024) },
    { key: "pid", title: t("process"), align: "number", cell: (cell) => cell.pid },
    { key: "retiring", title: "", cell: (cell) => cell.retiring && html`<span class="warn">${t("retiring", { why: cell.retiring })}</span>` },
  ];
  return html`<${Card} title=${t("cells")}><${Table} columns=${columns} rows=${cells} keyOf=${(cell) => cell.id} caption=${t("cells")} /><//>`;
}
