/** Who I am here, and my password. */

import { html, useState } from "../lib/vendor/preact.js";
import { post, Problem } from "../lib/http.js";
import { href } from "../lib/route.js";
import { useMe } from "../lib/me.js";
import { useWords } from "../lib/words.js";
import { Field, Form } from "../parts/form.js";
import { Card, Page } from "../parts/page.js";
import { useToast } from "../parts/toast.js";
import { words } from "./account.words.js";

export default function Account() {
  const t = useWords(words);
  const me = useMe();
  return html`<${Page} title=${t("page.account")}>
    <div class="grid">
      <${Card} title=${t("whoAmI")}>
        <dl class="facts">
          <dt>${t("name")}</dt><dd>${me.name}</dd>
          <dt>${t("role")}</dt><dd>${t(`role.${me.role}`)}<small class="under">${t(`may.${me.role}`)}</small></dd>
          <dt>${t("page.sessions")}</dt><dd>${me.sessions === null ? t("all") : me.sessions.map((id) => html`<a class="mono" href=${href("sessions", id)}>${id}</a> `)}${me.sessions?.length === 0 && t("noSession")}</dd>
          <dt>${t("id")}</dt><dd class="mono">${me.id}</dd>
        </dl>
      <//>
      <${Card} title=${t("password")}><${Password} name=${me.name} /><//>
    </div>
  <//>`;
}

function Password({ name }) {
  const t = useWords(words);
  const toast = useToast();
  const [round, setRound] = useState(0); // a form anew once it is done
  const change = async ({ current, password, again }) => {
    if (password !== again) throw new Problem(0, { detail: t("differ"), errors: [{ path: "again", message: t("differ") }] });
    await post("/api/me/password", { current, password });
    toast(t("changed"));
    setRound(round + 1);
  };
  return html`<p class="dim">${t("about")}</p>
    <${Form} key=${round} onSubmit=${change} submit=${t("change")}>
      <input type="text" name="username" value=${name} autocomplete="username" hidden readonly />
      <${Field} label=${t("current")} name="current" type="password" autocomplete="current-password" required />
      <${Field} label=${t("new")} hint=${t("newHint")} name="password" type="password" autocomplete="new-password" required />
      <${Field} label=${t("again")} name="again" type="password" autocomplete="new-password" required />
    <//>`;
}
