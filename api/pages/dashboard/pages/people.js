/** Who may sign in, and as what. */

import { html, useState } from "../lib/vendor/preact.js";
import { ago, time } from "../lib/format.js";
import { del, get, patch } from "../lib/http.js";
import { usePolled } from "../lib/live.js";
import { useMe } from "../lib/me.js";
import { useWords } from "../lib/words.js";
import { Badge } from "../parts/badge.js";
import { Button } from "../parts/button.js";
import { Confirm } from "../parts/dialog.js";
import { Card, Failure, Page, Spinner } from "../parts/page.js";
import { Table } from "../parts/table.js";
import { useToast } from "../parts/toast.js";
import { NewPassword } from "./people/password.js";
import { Person } from "./people/person.js";
import { words } from "./people.words.js";

export default function People() {
  const t = useWords(words);
  const toast = useToast();
  const me = useMe();
  const [open, setOpen] = useState(null); // {what, user}
  const { data, error, reload } = usePolled(() => get("/api/users"));
  const close = () => setOpen(null);
  const done = (said) => {
    close();
    toast(t(said));
    reload();
  };
  const path = open?.user && `/api/users/${open.user.id}`;
  const turn = async () => {
    await patch(path, { disabled: !open.user.disabled });
    done(open.user.disabled ? "enabledNow" : "disabledNow");
  };
  const remove = async () => {
    await del(path);
    done("removed");
  };
  return html`<${Page} title=${t("page.people")} actions=${html`<${Button} kind="main" onClick=${() => setOpen({ what: "person", user: null })}>${t("add")}<//>`}>
    <${Card}>
      <p class="dim">${t("about")}</p>
      ${error && html`<${Failure} problem=${error} retry=${reload} />`} ${!data && !error && html`<${Spinner} />`}
      ${data && html`<${Table} columns=${columns(t, me.id, setOpen)} rows=${data.users} keyOf=${(row) => row.id} caption=${t("page.people")} />`}
    <//>
    ${open?.what === "person" && html`<${Person} user=${open.user} onSaved=${() => done(open.user ? "changed" : "added")} onClose=${close} />`}
    ${open?.what === "password" && html`<${NewPassword} user=${open.user} onSaved=${() => done("passwordSet")} onClose=${close} />`}
    ${open?.what === "turn" && html`<${Turn} user=${open.user} onConfirm=${turn} onClose=${close} />`}
    ${open?.what === "delete" &&
    html`<${Confirm} title=${t("deleteTitle")} word=${open.user.name} action=${t("delete")} onConfirm=${remove} onClose=${close}>
      ${t("deleteText", open.user)}
    <//>`}
  <//>`;
}

/** Disabling somebody, or letting them in again. */
function Turn({ user, onConfirm, onClose }) {
  const t = useWords(words);
  const said = t(user.disabled ? "enable" : "disable");
  return html`<${Confirm} title=${said} action=${said} onConfirm=${onConfirm} onClose=${onClose}>
    ${t(user.disabled ? "enableText" : "disableText", user)}
  <//>`;
}

const columns = (t, me, open) => [
  { key: "name", title: t("name"), cell: (row) => html`${row.name}${row.id === me && html` <small>(${t("you")})</small>`}` },
  { key: "role", title: t("role"), cell: (row) => html`<span title=${t(`may.${row.role}`)}>${t(`role.${row.role}`)}</span>` },
  { key: "sessions", title: t("sessions"), cell: (row) => sessionsOf(row, t) },
  { key: "status", title: t("status"), cell: (row) => html`<${Badge} kind=${row.disabled ? "idle" : "good"}>${row.disabled ? t("disabled") : t("enabled")}<//>` },
  { key: "last", title: t("lastSignIn"), cell: (row) => (row.lastSignInAt ? html`<time datetime=${row.lastSignInAt} title=${time(row.lastSignInAt)}>${ago(row.lastSignInAt)}</time>` : t("never")) },
  {
    key: "acts",
    title: "",
    cell: (user) => html`<div class="actions">
      <${Button} kind="quiet" onClick=${() => open({ what: "person", user })}>${t("edit")}<//>
      <${Button} kind="quiet" onClick=${() => open({ what: "password", user })}>${t("setPassword")}<//>
      <${Button} kind="quiet" onClick=${() => open({ what: "turn", user })}>${t(user.disabled ? "enable" : "disable")}<//>
      <${Button} kind="quiet" onClick=${() => open({ what: "delete", user })}>${t("delete")}<//>
    </div>`,
  },
];

function sessionsOf(user, t) {
  if (user.sessions === null) return t("allSessions");
  return user.sessions.length ? html`<span class="mono">${user.sessions.join(", ")}</span>` : html`<span class="warn">${t("noSession")}</span>`;
}
