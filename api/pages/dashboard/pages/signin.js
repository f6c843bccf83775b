/** Name and password. */

import { html } from "../lib/vendor/preact.js";
import { post } from "../lib/http.js";
import { useWords } from "../lib/words.js";
import { Field, Form } from "../parts/form.js";
import { words } from "./signin.words.js";

export default function SignIn({ onDone }) {
  const t = useWords(words);
  const enter = async ({ name, password }) => {
    await post("/api/sign-in", { name, password });
    onDone();
  };
  return html`<section class="card signin">
    <img src="/ui/icon.svg" alt="" width="48" height="48" />
    <h1>Terzetto</h1>
    <${Form} onSubmit=${enter} submit=${t("enter")}>
      <${Field} label=${t("name")} name="name" autocomplete="username" autocapitalize="none" required />
      <${Field} label=${t("password")} name="password" type="password" autocomplete="current-password" required />
    <//>
    <p class="hint">${t("forgotten")} <code>./terzetto password</code></p>
  </section>`;
}
