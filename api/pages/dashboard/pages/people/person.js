/** A user, new or to be changed. */

import { html, useState } from "../../lib/vendor/preact.js";
import { patch, post } from "../../lib/http.js";
import { usePages } from "../../lib/live.js";
import { useWords } from "../../lib/words.js";
import { Button } from "../../parts/button.js";
import { Dialog } from "../../parts/dialog.js";
import { Checks, Field, Form, Select } from "../../parts/form.js";
import { Failure, More, Spinner } from "../../parts/page.js";
import { words } from "../people.words.js";
import { PasswordField } from "./password.js";

const ROLES = ["viewer", "operator", "admin"];
const PAGE = 200;

export function Person({ user, onSaved, onClose }) {
  const t = useWords(words);
  const [role, setRole] = useState(user?.role ?? "viewer");
  const save = async ({ name, password, sessions = [] }) => {
    const draft = { name: name.trim(), role, sessions: role === "viewer" ? sessions : [] };
    if (user) await patch(`/api/users/${user.id}`, draft);
    else await post("/api/users", { ...draft, password });
    onSaved();
  };
  return html`<${Dialog} title=${user ? t("changeOf", user) : t("add")} onClose=${onClose}>
    <${Form} onSubmit=${save} submit=${user ? t("save") : t("add")} actions=${html`<${Button} onClick=${onClose}>${t("cancel")}<//>`}>
      <${Field} label=${t("name")} hint=${t("nameHint")} name="name" defaultValue=${user?.name} autocapitalize="none" autocomplete="off" spellcheck=${false} required />
      ${!user && html`<${PasswordField} />`}
      <${Select} label=${t("role")} hint=${t(`may.${role}`)} name="role" value=${role} onChange=${(event) => setRole(event.target.value)} options=${ROLES.map((each) => [each, t(`role.${each}`)])} />
      ${role === "viewer" && html`<${Sessions} chosen=${user?.sessions ?? []} />`}
    <//>
  <//>`;
}

/** Which sessions a viewer reads: those there are, to be ticked. */
function Sessions({ chosen }) {
  const t = useWords(words);
  const { rows, error, more } = usePages("/api/sessions", { limit: PAGE }, "sessions");
  if (error) return html`<${Failure} problem=${error} />`;
  if (!rows) return html`<${Spinner} />`;
  const there = rows.map(({ id, name }) => [id, name === id ? id : `${name} (${id})`]);
  const further = chosen.filter((id) => !rows.some((row) => row.id === id)).map((id) => [id, id]);
  return html`<div class="some"><${Checks} label=${t("sessions")} hint=${t("sessionsHint")} name="sessions" options=${[...further, ...there]} initial=${chosen} /><${More} onMore=${more} /></div>`;
}
