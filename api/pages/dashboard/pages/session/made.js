/** Keys that were made in this tab, and by whom: only the page's memory has them, and only for as long. */

import { html } from "../../lib/vendor/preact.js";
import { useWords } from "../../lib/words.js";
import { Copy } from "../../parts/button.js";
import { Code } from "../../parts/page.js";
import { words } from "./made.words.js";

const made = new WeakMap(); // who is signed in → session → key

export function remember(me, session, apiKey) {
  if (!made.has(me)) made.set(me, new Map());
  made.get(me).set(session, apiKey);
}

/** The last key that `me` made for a session; null: none, or the page was loaded anew since. */
export const remembered = (me, session) => made.get(me)?.get(session) ?? null;

/** The key that begins so is good no more. */
export function forget(me, session, prefix) {
  if (remembered(me, session)?.startsWith(prefix)) made.get(me).delete(session);
}

/** A key, to be copied now. */
export function MadeKey({ apiKey }) {
  const t = useWords(words);
  return html`<div class="made-key">
    <p class="strong">${t("once")}</p>
    <div class="copied"><${Code} value=${apiKey} label=${t("apiKey")} /><${Copy} value=${apiKey} label=${t("copyKey")} /></div>
    <p class="hint">${t("header")} <code>x-api-key</code></p>
  </div>`;
}
