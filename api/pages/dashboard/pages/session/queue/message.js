/** A message that waits, in a few words. */

import { html } from "../../../lib/vendor/preact.js";
import { useWords } from "../../../lib/words.js";
import { words } from "../queue.words.js";

const LONG = 80; // characters

/** To whom, and how it begins. */
export function Message({ row }) {
  const t = useWords(words);
  const begins = row.text?.length > LONG ? `${row.text.slice(0, LONG)}…` : row.text;
  return html`<span class="mono">${row.chat.replace(/@s\.whatsapp\.net$/, "")}</span>
    <small class="under">${row.type !== "text" && `${row.type} `}${begins ?? ""}${row.clientRef && html` <code title=${t("clientRef")}>${row.clientRef}</code>`}</small>`;
}
