/** The event log, live: its last events, filtered, held, and read again from any point. */

import { html, useMemo } from "../lib/vendor/preact.js";
import { get } from "../lib/http.js";
import { usePolled } from "../lib/live.js";
import { can, useMe } from "../lib/me.js";
import { count } from "../lib/format.js";
import { useLanguage, useWords } from "../lib/words.js";
import { Badge } from "../parts/badge.js";
import { Button } from "../parts/button.js";
import { Empty, Page } from "../parts/page.js";
import { Filters, namesIn } from "./events/filters.js";
import { Row } from "./events/row.js";
import { useTail, WAITING } from "./events/tail.js";
import { words } from "./events.words.js";

const MINUTE = 60000;

export default function Events({ query }) {
  const t = useWords(words);
  const me = useMe();
  const name = useLanguage();
  const { session, events, after } = query;
  const asked = useMemo(() => ({ session, events, after }), [session, events, after]);
  const sessions = usePolled(() => get("/api/sessions", { limit: 500 }), MINUTE).data?.sessions ?? [];
  const tail = useTail({ session: session || null, events: namesIn(events), after: after || null });
  const actions = html`<${Standing} tail=${tail} />
    ${tail.held ? html`<${Button} kind="main" onClick=${tail.release}>${t("next")}<//>` : html`<${Button} onClick=${tail.hold}>${t("pause")}<//>`}`;
  return html`<${Page} title=${t("title")} actions=${actions}>
    <${Filters} query=${asked} sessions=${sessions.filter(({ id }) => can(me, "read", id))} />
    ${tail.rows.length === 0
      ? html`<${Empty} title=${t("none")}>${t("noneText")}<//>`
      : html`<section class="card events">
          <p class="hint">${t("count", { n: count(tail.rows.length) })}</p>
          <ol>${tail.rows.map((event) => html`<${Row} key=${event.cursor} event=${event} query=${asked} inLanguage=${name} />`)}</ol>
        </section>`}
  <//>`;
}

/** Whether it is live, or held and how much waits. */
function Standing({ tail }) {
  const t = useWords(words);
  if (!tail.held) return html`<${Badge} kind=${tail.state === "live" ? "good" : "busy"}>${t(tail.state)}<//>`;
  const waiting = tail.full ? t("manyWaiting", { n: count(WAITING) }) : t("waiting", { n: count(tail.waiting) });
  return html`<${Badge} kind="idle">${t("paused")} · ${waiting}<//>`;
}
