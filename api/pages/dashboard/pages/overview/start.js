/** Before there is any session: the three steps to the first message. */

import { html, useState } from "../../lib/vendor/preact.js";
import { can } from "../../lib/me.js";
import { go, href } from "../../lib/route.js";
import { useWords } from "../../lib/words.js";
import { Button } from "../../parts/button.js";
import { Empty, Page } from "../../parts/page.js";
import { NewSession } from "../session/create.js";
import { words } from "../overview.words.js";

export default function Start({ me }) {
  const t = useWords(words);
  const [making, setMaking] = useState(false);
  if (!can(me, "admin")) return html`<${Page} title=${t("page.overview")}><${Empty} title=${t("noSessions")}>${t("askAdmin")}<//><//>`;
  return html`<${Page} title=${t("welcome")}>
    <section class="card start">
      <p>${t("welcomeText")}</p>
      <ol>
        ${["create", "pair", "send"].map((step) => html`<li key=${step}><h2>${t(`step.${step}`)}</h2><p class="dim">${t(`step.${step}.text`)}</p></li>`)}
      </ol>
      ${me.sandbox && html`<p class="dim">${t("sandboxText")} <a href=${href("phones")}>${t("page.phones")}</a></p>`}
      <div class="actions"><${Button} kind="main" onClick=${() => setMaking(true)}>${t("createFirst")}<//></div>
    </section>
    ${making && html`<${NewSession} onClose=${() => setMaking(false)} onMade=${(id) => go("sessions", id, "pairing")} />`}
  <//>`;
}
