/** Ready-made programs for a session: what is wanted, in which language. */

import { html, useState } from "../../lib/vendor/preact.js";
import { useWords } from "../../lib/words.js";
import { Copy } from "../../parts/button.js";
import { Select } from "../../parts/form.js";
import { Card, Code } from "../../parts/page.js";
import { words } from "./examples.words.js";
import { LANGUAGES, programs, WISHES } from "./programs.js";

/** `apiKey`: filled in; null: a placeholder is. */
export function Examples({ apiKey }) {
  const t = useWords(words);
  const [wish, setWish] = useState("send");
  const [language, setLanguage] = useState("curl");
  const program = programs({ url: location.origin, key: apiKey ?? t("placeholder") })[wish][language];
  const wishes = WISHES.map((each) => [each, t(each)]);
  return html`<${Card} title=${t("title")}>
    <div class="filters">
      <${Select} label=${t("wish")} options=${wishes} value=${wish} onChange=${(event) => setWish(event.target.value)} />
      <${Select} label=${t("language")} options=${Object.entries(LANGUAGES)} value=${language} onChange=${(event) => setLanguage(event.target.value)} />
    </div>
    <p class="dim">${t(apiKey ? "filled" : "unfilled")} ${t(`${wish}.${language}`)}</p>
    <${Code} value=${program} label=${t(wish)} />
    <div class="actions"><${Copy} value=${program} /></div>
  <//>`;
}
