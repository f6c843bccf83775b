/** Messages of any chat, newest first, each leading into its conversation: what a search found, or the latest. */

import { html } from "../../lib/vendor/preact.js";
import { ofSession } from "../../lib/http.js";
import { usePages } from "../../lib/live.js";
import { time } from "../../lib/format.js";
import { href } from "../../lib/route.js";
import { useWords } from "../../lib/words.js";
import { Empty, Failure, More, Spinner } from "../../parts/page.js";
import { summary } from "./list.js";
import { shownJid } from "./names.js";
import { words } from "../chats.words.js";

/** Of a session, or with null of all that are the reader's. */
export function Found({ session, q, nameOf = shownJid }) {
  const t = useWords(words);
  const { rows, error, more, reload } = usePages(session === null ? "/api/messages" : ofSession(session, "messages"), { q, limit: 50 }, "messages");
  if (error && !rows) return html`<${Failure} problem=${error} retry=${reload} />`;
  if (!rows) return html`<${Spinner} />`;
  if (rows.length === 0) {
    return q
      ? html`<${Empty} title=${t("noneFound")}>${t("noneFoundText")}<//>`
      : html`<${Empty} title=${t("noChats")}>${t("noChatsText")}<//>`;
  }
  return html`<ul class="rows">
      ${rows.map(
        (row) => html`<li key=${row.id}>
          <a class="chat" href=${href("chats", row.sessionId, row.chat, { at: row.timestamp, m: row.id })}>
            <b dir="auto">${nameOf(row.chat)}${session === null && html` <small>· ${row.sessionId}</small>`}</b>
            <time>${time(row.timestamp * 1000)}</time>
            <span class="last" dir="auto">${summary(t, row)}</span>
          </a>
        </li>`,
      )}
    </ul>
    ${error && html`<${Failure} problem=${error} retry=${reload} />`}<${More} onMore=${more} />`;
}
