/** Linking by a code that is typed into the phone, instead of one that is scanned. */

import { html, useState } from "../../lib/vendor/preact.js";
import { ofSession, post } from "../../lib/http.js";
import { useWords } from "../../lib/words.js";
import { Copy } from "../../parts/button.js";
import { Field, Form } from "../../parts/form.js";
import { words } from "./pairing.words.js";

export function TypedCode({ session, reload }) {
  const t = useWords(words);
  const [code, setCode] = useState(null);
  const ask = async ({ phone }) => {
    setCode(null);
    const answer = await post(ofSession(session.id, "pairing-code"), { phone: phone.replace(/[\s()+.-]/g, "") });
    setCode(answer.code);
    reload();
  };
  return html`<p>${t("typeText")}</p>
    <${Form} onSubmit=${ask} submit=${t("getCode")}>
      <${Field} label=${t("phone")} name="phone" hint=${t("phoneHint")} type="tel" inputmode="tel" autocomplete="off" placeholder="+62 812 3456 789" />
    <//>
    <div role="status">
      ${code && html`<p class="typed-code"><output>${code}</output><${Copy} value=${code} /></p><p>${t("typeHow")}</p>`}
    </div>`;
}
