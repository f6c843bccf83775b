/** What was done to the gateway: who, what, when and how it came out. */

import { html, useState } from "../lib/vendor/preact.js";
import { time } from "../lib/format.js";
import { usePages } from "../lib/live.js";
import { href, swap } from "../lib/route.js";
import { useWords } from "../lib/words.js";
import { Badge } from "../parts/badge.js";
import { Button } from "../parts/button.js";
import { Card, Empty, Failure, More, Page, Spinner } from "../parts/page.js";
import { Table } from "../parts/table.js";
import { words } from "./audit.words.js";

/** What can be recorded, by what it is done to. */
const ACTIONS = {
  session: ["create", "update", "start", "stop", "restart", "pairing_code", "logout", "delete"],
  webhook: ["create", "update", "pause", "resume", "rotate_secret", "test", "replay", "redeliver", "delete"],
  key: ["create", "update", "rotate", "revoke"],
  user: ["create", "update", "password", "delete", "sign_in", "sign_out"],
  node: ["drain"],
  tree: ["restart", "stop", "start", "suspend", "resume"],
};
const PAGE = 50;

export default function Audit({ query: { action = "", target = "" } }) {
  const t = useWords(words);
  const asked = { action: named(action), target, limit: PAGE };
  const { rows, error, more, reload } = usePages("/api/audit", asked, "entries");
  return html`<${Page} title=${t("page.audit")} actions=${html`<${Button} onClick=${reload}>${t("again")}<//>`}>
    <${Filters} key=${target} action=${action} target=${target} />
    <${Card}>
      ${error && html`<${Failure} problem=${error} retry=${reload} />`}
      ${!rows && !error && html`<${Spinner} />`}
      ${rows?.length === 0 && html`<${Empty} title=${t("none")}>${action || target ? t("noneSuch") : t("noneYet")}<//>`}
      ${rows?.length > 0 && html`<${Table} columns=${columns(t, action)} rows=${rows} keyOf=${(row) => row.id} caption=${t("page.audit")} />`}
      <${More} onMore=${more} />
    <//>
  <//>`;
}

/** The API's names for a choice: a whole group is all that are in it. */
function named(action) {
  return ACTIONS[action]?.map((each) => `${action}.${each}`).join(",") ?? action;
}

/** Kept in the address. */
function Filters({ action, target }) {
  const t = useWords(words);
  const [typed, setTyped] = useState(target);
  const find = (event) => {
    event.preventDefault();
    swap("audit", { action, target: typed.trim() });
  };
  return html`<form class="filters" role="search" onSubmit=${find}>
    <select aria-label=${t("action")} value=${action} onChange=${(event) => swap("audit", { action: event.target.value, target })}>
      <option value="" selected=${!action}>${t("everything")}</option>
      ${Object.entries(ACTIONS).map(
        ([group, each]) => html`<optgroup label=${t(`of.${group}`)}>
          <option value=${group} selected=${group === action}>${t("allOf", { group: t(`of.${group}`) })}</option>
          ${each.map((act) => html`<option value=${`${group}.${act}`} selected=${`${group}.${act}` === action}>${group}.${act}</option>`)}
        </optgroup>`,
      )}
    </select>
    <input class="search mono" type="search" aria-label=${t("target")} placeholder=${t("targetHint")} value=${typed} onInput=${(event) => setTyped(event.target.value)} />
    <${Button} type="submit">${t("search")}<//>
  </form>`;
}

const columns = (t, action) => [
  { key: "action", title: t("action"), cell: (row) => html`<code>${row.action}</code>` },
  { key: "target", title: t("target"), cell: (row) => row.target && html`<a class="mono url" href=${href("audit", { action, target: row.target })}>${row.target}</a>` },
  { key: "who", title: t("who"), cell: (row) => html`<${Who} entry=${row} />` },
  { key: "at", title: t("when"), cell: (row) => html`<time datetime=${row.at}>${time(row.at)}</time>` },
  { key: "outcome", title: t("outcome"), cell: (row) => html`<${Badge} kind=${row.outcome === "ok" ? "good" : "bad"}>${row.outcome === "ok" ? t("ok") : row.outcome}<//>` },
  { key: "detail", title: t("detail"), cell: (row) => html`<${Detail} entry=${row} />` },
];

/** A user by name, or a key by its beginning; from where. */
function Who({ entry: { user, key, address } }) {
  const t = useWords(words);
  const name = user ? html`<span title=${user.id}>${user.name}</span>` : html`<span title=${key?.id}>${t("key")} <code>${key?.prefix}…</code></span>`;
  return html`${name}<small class="under mono">${address ?? ""}</small>`;
}

/** What else is known of it. */
function Detail({ entry: { detail, requestId } }) {
  const t = useWords(words);
  const said = Object.entries(detail).filter(([, value]) => value !== null && value !== "");
  return html`<details class="detail">
    <summary>${said.length ? said.map(([name, value]) => `${name}: ${shown(value)}`).join(" · ") : t("request")}</summary>
    <dl class="facts">
      ${said.map(([name, value]) => html`<dt>${name}</dt><dd class="mono">${shown(value)}</dd>`)}
      <dt>${t("request")}</dt><dd class="mono">${requestId}</dd>
    </dl>
  </details>`;
}

function shown(value) {
  if (Array.isArray(value)) return value.join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
