/** A new session: asked for, and its key shown once. */

import { html, useState } from "../../lib/vendor/preact.js";
import { post } from "../../lib/http.js";
import { useMe } from "../../lib/me.js";
import { useWords } from "../../lib/words.js";
import { Button } from "../../parts/button.js";
import { Dialog } from "../../parts/dialog.js";
import { Field, Form } from "../../parts/form.js";
import { words } from "./create.words.js";
import { LimitFields, limitsOf } from "./limits.js";
import { MadeKey, remember } from "./made.js";

/** `onMade(id)` once the key was shown. */
export function NewSession({ onClose, onMade }) {
  const t = useWords(words);
  const me = useMe();
  const [made, setMade] = useState(null);
  const [wide, setWide] = useState(false);
  const create = async (values) => {
    const { id, name, proxy } = values;
    setWide(wide || Boolean(proxy || limitsOf(values))); // what may be wrong is seen
    const answer = await post("/api/sessions", {
      name: name.trim(),
      ...(id.trim() && { id: id.trim() }),
      ...(proxy.trim() && { proxy: proxy.trim() }),
      ...(limitsOf(values) && { limits: limitsOf(values) }),
    });
    remember(me, answer.session.id, answer.apiKey);
    setMade(answer);
  };
  if (made) {
    const on = () => onMade(made.session.id);
    return html`<${Dialog} title=${t("made", { name: made.session.name })} onClose=${on}>
      <${MadeKey} apiKey=${made.apiKey} />
      <div class="actions"><${Button} kind="main" onClick=${on}>${t("toPairing")}<//></div>
    <//>`;
  }
  return html`<${Dialog} title=${t("new")} onClose=${onClose}>
    <${Form} onSubmit=${create} submit=${t("create")} actions=${html`<${Button} onClick=${onClose}>${t("cancel")}<//>`}>
      <${Field} label=${t("name")} name="name" hint=${t("nameHint")} autocomplete="off" autofocus />
      <${Field} label=${t("id")} name="id" hint=${t("idHint")} autocomplete="off" autocapitalize="none" spellcheck=${false} />
      <details class="more-fields" open=${wide} onToggle=${(event) => setWide(event.target.open)}>
        <summary>${t("advanced")}</summary>
        <div class="form">
          <${Field} label=${t("proxy")} name="proxy" hint=${t("proxyHint")} placeholder="socks5://user:password@host:1080" autocomplete="off" inputmode="url" spellcheck=${false} />
          <${LimitFields} />
        </div>
      </details>
    <//>
  <//>`;
}
