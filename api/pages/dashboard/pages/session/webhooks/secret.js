/** A secret, this once. */

import { html } from "../../../lib/vendor/preact.js";
import { useWords } from "../../../lib/words.js";
import { Button, Copy } from "../../../parts/button.js";
import { Dialog } from "../../../parts/dialog.js";
import { Code } from "../../../parts/page.js";
import { words } from "../webhooks.words.js";

export function Secret({ value, onClose }) {
  const t = useWords(words);
  return html`<${Dialog} title=${t("secret")} onClose=${onClose}>
    <p>${t("secretOnce")}</p>
    <${Code} value=${value} label=${t("secret")} />
    <div class="actions"><${Copy} value=${value} /><${Button} kind="main" onClick=${onClose}>${t("secretKept")}<//></div>
  <//>`;
}
