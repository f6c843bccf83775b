/** A password for somebody, typed or made here. */

import { html, useState } from "../../lib/vendor/preact.js";
import { patch } from "../../lib/http.js";
import { useWords } from "../../lib/words.js";
import { Button, Copy } from "../../parts/button.js";
import { Dialog } from "../../parts/dialog.js";
import { Field, Form } from "../../parts/form.js";
import { words } from "../people.words.js";

const BYTES = 15; // of a password that is made: 120 bits in 20 characters

function made() {
  const random = crypto.getRandomValues(new Uint8Array(BYTES));
  return btoa(String.fromCharCode(...random)).replaceAll("+", "-").replaceAll("/", "_");
}

/** A field of a form, by the name `password`; one that is made can be seen and copied. */
export function PasswordField() {
  const t = useWords(words);
  const [value, setValue] = useState("");
  const [seen, setSeen] = useState(false);
  const make = () => {
    setValue(made());
    setSeen(true);
  };
  return html`<${Field}
      label=${t("password")} hint=${t("passwordHint")} name="password" type=${seen ? "text" : "password"} class=${seen ? "mono" : ""}
      value=${value} onInput=${(event) => setValue(event.target.value)} autocomplete="new-password" spellcheck=${false} required />
    <div class="actions"><${Button} kind="quiet" onClick=${make}>${t("makeOne")}<//>${seen && value && html`<${Copy} value=${value} />`}</div>`;
}

/** Another password for a user. */
export function NewPassword({ user, onSaved, onClose }) {
  const t = useWords(words);
  const save = async ({ password }) => {
    await patch(`/api/users/${user.id}`, { password });
    onSaved();
  };
  return html`<${Dialog} title=${t("passwordOf", user)} onClose=${onClose}>
    <p>${t("passwordText")}</p>
    <${Form} onSubmit=${save} submit=${t("setPassword")} actions=${html`<${Button} onClick=${onClose}>${t("cancel")}<//>`}><${PasswordField} /><//>
  <//>`;
}
