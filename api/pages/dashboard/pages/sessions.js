/** All sessions; below one's id, its own pages. */

import { html, useEffect, useMemo, useRef, useState } from "../lib/vendor/preact.js";
import { ago, time } from "../lib/format.js";
import { can, useMe } from "../lib/me.js";
import { go, href, swap } from "../lib/route.js";
import { useLanguage, useWords } from "../lib/words.js";
import { StateBadge } from "../parts/badge.js";
import { Button } from "../parts/button.js";
import { Empty, Failure, More, Page, Search, Spinner } from "../parts/page.js";
import { Table } from "../parts/table.js";
import { NewSession } from "./session/create.js";
import { useSessions } from "./session/rows.js";
import SessionPage from "./session/session.js";
import { words } from "./sessions.words.js";

export const STATES = ["connected", "starting", "pairing", "reconnecting", "restricted", "logged_out", "failed", "stopped"];

const TYPING = 250; // ms without a key until it is searched

export default function Sessions({ parts, query }) {
  const [id, ...rest] = parts;
  const me = useMe();
  const t = useWords(words);
  if (id === undefined) return html`<${List} query=${query} />`;
  if (can(me, "status", id)) return html`<${SessionPage} key=${id} id=${id} parts=${rest} />`;
  return html`<${Page} title=${id} back=${{ href: href("sessions"), title: t("page.sessions") }}><${Empty} title=${t("nothingHere")} /><//>`;
}

function List({ query: { q = "", status = "" } }) {
  const t = useWords(words);
  const me = useMe();
  const [making, setMaking] = useState(false);
  const { rows, error, more, reload, state } = useSessions({ q, status });
  const shown = useMemo(() => columns(t), [useLanguage()]);
  const make = can(me, "admin") && html`<${Button} kind="main" onClick=${() => setMaking(true)}>${t("new")}<//>`;
  return html`<${Page} title=${t("page.sessions")} actions=${make}>
    <${Filters} q=${q} status=${status} live=${state} />
    ${error && html`<${Failure} problem=${error} retry=${reload} />`}
    ${rows === null && !error && html`<${Spinner} />`}
    ${rows?.length === 0 && html`<${Nothing} searched=${q || status} make=${make} />`}
    ${rows?.length > 0 && html`<section class="card"><${Table} columns=${shown} rows=${rows} keyOf=${(row) => row.id} caption=${t("page.sessions")} /></section>`}
    <${More} onMore=${more} />
    ${making && html`<${NewSession} onClose=${() => setMaking(false)} onMade=${(id) => go("sessions", id, "pairing")} />`}
  <//>`;
}

/** What is looked for; kept in the address. */
function Filters({ q, status, live }) {
  const t = useWords(words);
  const [typed, setTyped] = useState(q);
  const timer = useRef(null);
  useEffect(() => {
    setTyped((before) => (before.trim() === q ? before : q)); // the address was changed elsewhere
    return () => clearTimeout(timer.current);
  }, [q]);
  const type = (text) => {
    setTyped(text);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => swap("sessions", { q: text.trim(), status }), TYPING);
  };
  const choose = (event) => {
    clearTimeout(timer.current);
    swap("sessions", { q: typed.trim(), status: event.target.value });
  };
  return html`<div class="filters" role="search">
    <${Search} value=${typed} onInput=${type} label=${t("searchFor")} />
    <select aria-label=${t("status")} value=${status} onChange=${choose}>
      <option value="" selected=${!status}>${t("anyState")}</option>
      ${STATES.map((each) => html`<option value=${each} selected=${each === status}>${t(`state.${each}`)}</option>`)}
    </select>
    <span class="dim" role="status">${t(live === "live" ? "live" : live === "polled" ? "polled" : "connecting")}</span>
  </div>`;
}

function Nothing({ searched, make }) {
  const t = useWords(words);
  return searched
    ? html`<${Empty} title=${t("noneFound")}>${t("noneFoundHint")}<//>`
    : html`<${Empty} title=${t("none")} action=${make}>${t("noneHint")}<//>`;
}

const columns = (t) => [
  { key: "name", title: t("session"), cell: (row) => html`<a href=${href("sessions", row.id)}>${row.name}</a><small class="under mono">${row.id}</small>` },
  { key: "status", title: t("status"), cell: (row) => html`<${StateBadge} status=${row.status} />` },
  { key: "since", title: t("since"), cell: (row) => html`<time datetime=${row.statusSince} title=${time(row.statusSince)}>${ago(row.statusSince)}</time>` },
  { key: "account", title: t("account"), cell: (row) => row.phone && html`${row.pushName ?? ""}<small class="under mono">+${row.phone}</small>` },
  { key: "error", title: t("lastError"), cell: (row) => row.lastError && html`<span class="dim">${row.lastError}</span>` },
];
