/** How a session is, whose it is, and how it came to be so. */

import { html } from "../../lib/vendor/preact.js";
import { ago, count, time } from "../../lib/format.js";
import { get, ofSession } from "../../lib/http.js";
import { useFirst, usePolled } from "../../lib/live.js";
import { can, useMe } from "../../lib/me.js";
import { href } from "../../lib/route.js";
import { useWords } from "../../lib/words.js";
import { StateBadge } from "../../parts/badge.js";
import { Card, Empty, Failure, More, Spinner } from "../../parts/page.js";
import { useAgain } from "./again.js";
import { Life } from "./life.js";
import { words } from "./overview.words.js";

const POLLED = 10000; // ms: signs of life are no events

export default function Overview({ session, news, reload }) {
  const t = useWords(words);
  const me = useMe();
  const { data: status, error, reload: look } = usePolled(() => get(ofSession(session.id, "status")), POLLED, [session.id]);
  useAgain(look, [news, session.statusSince]);
  const moved = () => {
    reload();
    look();
  };
  return html`<div class="halves">
    <${Card} title=${t("now")}>
      <dl class="facts">
        <dt>${t("status")}</dt><dd><${StateBadge} status=${session.status} /> <span class="dim">${ago(session.statusSince)}</span></dd>
        <dt>${t("wanted")}</dt><dd>${t(session.desired)}</dd>
        ${session.lastError && html`<dt>${t("lastError")}</dt><dd class="bad">${session.lastError}</dd>`}
        ${status && html`<${Alive} status=${status} />`}
        <dt>${t("made")}</dt><dd>${time(session.createdAt)}</dd>
      </dl>
      ${error && html`<${Failure} problem=${error} retry=${look} />`}
      <${Life} session=${session} onMoved=${moved} />
    <//>
    <${Card} title=${t("account")}>
      ${session.phone
        ? html`<dl class="facts">
            <dt>${t("name")}</dt><dd>${session.pushName ?? "–"}</dd>
            <dt>${t("number")}</dt><dd>+${session.phone}</dd>
            ${session.jid && html`<dt>JID</dt><dd class="mono">${session.jid}</dd>`}
            ${session.lid && html`<dt>LID</dt><dd class="mono">${session.lid}</dd>`}
          </dl>`
        : null}
      ${session.phone && can(me, "read", session.id) && html`<p><a href=${href("chats", session.id)}>${t("toChats")}</a></p>`}
      ${!session.jid &&
      html`<${Empty} title=${t("notLinked")} action=${can(me, "control", session.id) && html`<a class="button main" href=${href("sessions", session.id, "pairing")}>${t("link")}</a>`} />`}
    <//>
    <${Timeline} session=${session} news=${news} />
  </div>`;
}

/** What the session's actor says of itself. */
function Alive({ status }) {
  const t = useWords(words);
  const { lastInboundAt, lastPongAt } = status.liveness;
  return html`
    <dt>${t("heard")}</dt><dd title=${time(lastInboundAt)}>${ago(lastInboundAt)}</dd>
    <dt>${t("answered")}</dt><dd title=${time(lastPongAt)}>${ago(lastPongAt)}</dd>
    <dt>${t("restarts")}</dt><dd>${count(status.restarts)}</dd>
    ${status.cell && html`<dt>${t("cell")}</dt><dd class="mono">${status.cell}</dd>`}
  `;
}

function Timeline({ session, news }) {
  const t = useWords(words);
  const { data, error, more, reload } = useFirst(ofSession(session.id, "timeline"), {}, 0);
  useAgain(reload, [news, session.statusSince]);
  return html`<${Card} title=${t("timeline")} class="wide">
    ${error && html`<${Failure} problem=${error} retry=${reload} />`}
    ${!data && !error && html`<${Spinner} />`}
    <ol class="timeline">
      ${data?.changes.map(
        (change) => html`<li key=${change.seq}>
          <time datetime=${change.at} title=${ago(change.at)}>${time(change.at)}</time>
          <div><${StateBadge} status=${change.status} />${change.reason && html`<p class="dim">${change.reason}</p>`}</div>
        </li>`,
      )}
    </ol>
    <${More} onMore=${more} />
  <//>`;
}
