/** One session: what it is called and how it is, and its tabs. */

import { html, useState } from "../../lib/vendor/preact.js";
import { get, ofSession } from "../../lib/http.js";
import { useEvents, usePolled } from "../../lib/live.js";
import { can, useMe } from "../../lib/me.js";
import { href } from "../../lib/route.js";
import { useWords } from "../../lib/words.js";
import { StateBadge } from "../../parts/badge.js";
import { Loaded } from "../../parts/loaded.js";
import { Empty, Failure, Page, Spinner, Tabs } from "../../parts/page.js";
import { useAgain } from "./again.js";
import { words } from "./session.words.js";

/** By the address: who may see the tab, and where it is. */
const TABS = {
  overview: { scope: "status", load: () => import("./overview.js") },
  pairing: { scope: "control", load: () => import("./pairing.js") },
  webhooks: { scope: "read", load: () => import("./webhooks.js") },
  queue: { scope: "read", load: () => import("./queue.js") },
  settings: { scope: "settings", load: () => import("./settings.js") },
  keys: { scope: "admin", load: () => import("./keys.js") },
  health: { scope: "status", load: () => import("./health.js") },
};

const NEWS = ["session.status", "session.paired", "session.qr", "account.health"];
const POLLED = 3000; // ms, for who may not listen to events

/**
 * A tab is given {session, parts, news, codes, reload}: the row of GET /api/sessions/{id}, the rest of the address, a
 * number that grows whenever something was heard of the session, one that grows with every new code to scan, and what
 * has the row asked for again.
 */
export default function SessionPage({ id, parts: [tab = "overview", ...rest] }) {
  const t = useWords(words);
  const me = useMe();
  const [news, setNews] = useState(0);
  const [codes, setCodes] = useState(0);
  const listens = can(me, "read", id);
  const { data: session, error, reload } = usePolled(() => get(ofSession(id)), listens ? 0 : POLLED, [id]);
  const state = useEvents({ sessions: [id], events: NEWS, off: !listens }, ({ event }) => {
    const heard = event === "session.qr" ? setCodes : setNews;
    heard((before) => before + 1);
  });
  useAgain(reload, [news, state]); // the row may be from before the first event that is heard

  const back = { href: href("sessions"), title: t("page.sessions") };
  const shown = Object.entries(TABS).filter(([, { scope }]) => can(me, scope, id));
  const tabs = shown.map(([each]) => ({ id: each, title: t(each), href: href("sessions", id, each) }));
  const current = Object.fromEntries(shown)[tab];
  return html`<${Page} title=${session?.name ?? id} back=${back} actions=${session && html`<${StateBadge} status=${session.status} />`}>
    <${Tabs} tabs=${tabs} current=${tab} label=${t("session")} />
    ${error && html`<${Failure} problem=${error} retry=${reload} />`}
    ${!session && !error && html`<${Spinner} />`}
    ${session && (current ? html`<${Loaded} key=${tab} load=${current.load} session=${session} parts=${rest} news=${news} codes=${codes} reload=${reload} />` : html`<${Empty} title=${t("nothingHere")} />`)}
  <//>`;
}
