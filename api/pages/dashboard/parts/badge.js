/** A word with a colour. */

import { html } from "../lib/vendor/preact.js";
import { useWords } from "../lib/words.js";

/** kind: good, warn, bad, busy or idle. */
export function Badge({ kind = "idle", children }) {
  return html`<span class="badge ${kind}"><i aria-hidden="true"></i>${children}</span>`;
}

const KINDS = {
  connected: "good",
  starting: "busy",
  pairing: "busy",
  reconnecting: "warn",
  restricted: "warn",
  logged_out: "bad",
  failed: "bad",
  stopped: "idle",
};

/** A session's state. */
export function StateBadge({ status }) {
  const t = useWords();
  return html`<${Badge} kind=${KINDS[status] ?? "idle"}>${t(`state.${status}`)}<//>`;
}
