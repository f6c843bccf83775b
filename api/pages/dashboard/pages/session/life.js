/** Start, stop, restart, log out and delete a session. */

import { html, useState } from "../../lib/vendor/preact.js";
import { del, ofSession, post } from "../../lib/http.js";
import { can, useMe } from "../../lib/me.js";
import { go } from "../../lib/route.js";
import { useWords } from "../../lib/words.js";
import { Button } from "../../parts/button.js";
import { Confirm } from "../../parts/dialog.js";
import { useToast } from "../../parts/toast.js";
import { words } from "./life.words.js";

const ENDED = ["stopped", "logged_out", "failed", "restricted"];

/** Buttons for what may be done now; `onMoved` after it was. */
export function Life({ session, onMoved }) {
  const t = useWords(words);
  const me = useMe();
  const toast = useToast();
  const [asking, setAsking] = useState(null);
  const ended = ENDED.includes(session.status);
  const act = async (name) => {
    await post(ofSession(session.id, name));
    onMoved();
  };
  const remove = async () => {
    await del(ofSession(session.id));
    toast(t("deleted", { name: session.name }));
    go("sessions");
  };
  const now = (name) => html`<${Button} kind=${name === "start" ? "main" : "plain"} onClick=${() => toast.doing(act(name))}>${t(name)}<//>`;
  const later = (name, kind) => html`<${Button} kind=${kind} onClick=${() => setAsking(name)}>${t(name)}<//>`;
  const steers = can(me, "control", session.id);
  return html`<div class="actions">
      ${steers && ended && now("start")}
      ${steers && !ended && now("restart")}
      ${steers && session.desired === "running" && later("stop")}
      ${steers && session.jid && later("logout", "danger")}
      ${can(me, "admin") && later("delete", "danger")}
    </div>
    ${asking === "stop" && html`<${Confirm} title=${t("stopTitle")} action=${t("stop")} onConfirm=${() => act("stop")} onClose=${() => setAsking(null)}>${t("stopText")}<//>`}
    ${asking === "logout" && html`<${Confirm} title=${t("logoutTitle")} action=${t("logout")} onConfirm=${() => act("logout")} onClose=${() => setAsking(null)}>${t("logoutText")}<//>`}
    ${asking === "delete" && html`<${Confirm} title=${t("deleteTitle")} word=${session.id} action=${t("delete")} onConfirm=${remove} onClose=${() => setAsking(null)}>${t(session.jid ? "deleteLinkedText" : "deleteText")}<//>`}`;
}
