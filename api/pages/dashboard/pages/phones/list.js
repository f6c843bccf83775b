/** All simulated phones; what waits for one of them to scan it; and what can be made to go wrong. */

import { html, useState } from "../../lib/vendor/preact.js";
import { get } from "../../lib/http.js";
import { usePolled } from "../../lib/live.js";
import { go, href } from "../../lib/route.js";
import { useWords } from "../../lib/words.js";
import { Badge } from "../../parts/badge.js";
import { Button } from "../../parts/button.js";
import { Card, Failure, Page, Spinner } from "../../parts/page.js";
import { Table } from "../../parts/table.js";
import { NewSession } from "../session/create.js";
import { words } from "../phones.words.js";
import { Faults } from "./faults.js";
import { NewPhone, ScanCode } from "./dialogs.js";
import { network, sessionsByPhone } from "./network.js";
import { Awaited } from "./scan.js";

const POLLED = 2000; // ms

const look = async () => {
  const [phones, linked, pairing] = await Promise.all([network.phones(), sessionsByPhone(), get("/api/sessions", { status: "pairing", limit: 100 })]);
  return { phones, linked, pairing: pairing.sessions };
};

export function Phones() {
  const t = useWords(words);
  const { data, error, reload } = usePolled(look, POLLED);
  const [open, setOpen] = useState(null); // the dialog
  const close = () => {
    setOpen(null);
    reload();
  };
  const actions = html`<${Button} onClick=${() => setOpen("session")}>${t("newSession")}<//><${Button} kind="main" onClick=${() => setOpen("phone")}>${t("newPhone")}<//>`;
  return html`<${Page} title=${t("page.phones")} actions=${data && actions}>
    <p class="dim">${t("about")}</p>
    ${error && html`<${Failure} problem=${error} retry=${reload} />`}
    ${!data && !error && html`<${Spinner} />`}
    ${data &&
    html`<${Awaited} sessions=${data.pairing} phones=${data.phones} linked=${data.linked} reload=${reload} />
      <${Card} title=${t("people")}>
        <${Table} columns=${columns(t, data.linked, (row) => setOpen(row))} rows=${data.phones} keyOf=${(row) => row.phone} caption=${t("people")} />
      <//>
      <${Faults} phones=${data.phones} />`}
    ${open === "phone" && html`<${NewPhone} phones=${data.phones} onClose=${close} onMade=${(number) => go("phones", number)} />`}
    ${open === "session" && html`<${NewSession} onClose=${close} onMade=${close} />`}
    ${open?.phone && html`<${ScanCode} phone=${open} onClose=${close} />`}
  <//>`;
}

const columns = (t, linked, onScan) => [
  { key: "name", title: t("name"), cell: (row) => html`<a href=${href("phones", row.phone)}>${row.name}</a><small class="under mono">+${row.phone}</small>` },
  {
    key: "linked",
    title: t("linkedTo"),
    cell: (row) => {
      const session = linked.get(row.phone);
      return session ? html`<a href=${href("sessions", session.id)}>${session.name}</a>` : row.devices.length ? t("devices", { count: row.devices.length }) : html`<span class="dim">${t("nothing")}</span>`;
    },
  },
  {
    key: "state",
    title: t("status"),
    cell: ({ devices }) => {
      const online = devices.some(({ connected }) => connected);
      return devices.length > 0 && html`<${Badge} kind=${online ? "good" : "idle"}>${t(online ? "online" : "offline")}<//>`;
    },
  },
  {
    key: "acts",
    title: "",
    cell: (row) => html`<div class="actions"><${Button} kind="quiet" onClick=${() => onScan(row)}>${t("scanCode")}<//><a class="button" href=${href("phones", row.phone)}>${t("open")}</a></div>`,
  },
];
