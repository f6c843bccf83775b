/** What can be done with a node: the buttons, and the question before what others would feel. */

import { html, useState } from "../../lib/vendor/preact.js";
import { post } from "../../lib/http.js";
import { can, useMe } from "../../lib/me.js";
import { Button } from "../../parts/button.js";
import { Confirm } from "../../parts/dialog.js";
import { useToast } from "../../parts/toast.js";

const AT_REST = new Set(["stopped", "ended", "ignored", "failed"]);
const DUE = new Set(["restarting", "backing_off"]);
const NEVER = { "": ["restart", "stop", "start", "suspend", "resume"], api: ["restart", "stop", "start", "suspend", "resume"], storage: ["stop", "suspend"] };

/** The path in an address of the API. */
export const treePath = (path) => ["/api/tree", ...path.split("/").filter(Boolean).map(encodeURIComponent)].join("/");

/** What makes sense now. `settings` as GET /api/tree/{path} has them, or null. */
export function actsOf(node, settings) {
  const rests = AT_REST.has(node.state);
  const acts = [];
  if (rests || DUE.has(node.state)) acts.push("start");
  else acts.push("restart");
  if (!rests || node.state === "failed") acts.push("stop");
  if (node.mailbox && node.state === "running") acts.push("suspend");
  if (node.state === "suspended") acts.push("resume");
  const temporary = settings?.restart === "temporary" ? ["restart", "start"] : [];
  return acts.filter((act) => !NEVER[node.path]?.includes(act) && !temporary.includes(act));
}

/** Whether others feel it: a supervisor takes all beneath it along, a part of the gateway all who use it. */
const weighs = (node, act) => (act === "restart" || act === "stop") && (node.type === "supervisor" || !node.path.includes("/"));

/** `onDone(after)` is told how it is then, as the API answers; null where it is there no more. */
export function Acts({ node, settings, beneath, onDone, t }) {
  const me = useMe();
  const toast = useToast();
  const [asked, setAsked] = useState(null);
  if (!can(me, "operate")) return null;
  const perform = async (act) => {
    const after = await post(`${treePath(node.path)}/${act}`); // null: it is gone
    toast(t(`did.${act}`, { id: node.id }));
    onDone(after);
  };
  const press = (act) => (weighs(node, act) ? setAsked(act) : toast.doing(perform(act)));
  const acts = actsOf(node, settings);
  if (!acts.length) return null;
  return html`<div class="actions">
    ${acts.map((act) => html`<${Button} key=${act} kind=${act === "stop" ? "danger" : "plain"} onClick=${() => press(act)}>${t(act)}<//>`)}
    ${asked &&
    html`<${Confirm} title=${t(`sure.${asked}`, { id: node.id })} action=${t(asked)} onConfirm=${() => perform(asked)} onClose=${() => setAsked(null)}>
      ${t(beneath ? "sureBeneath" : "surePart", { count: beneath })}
    <//>`}
  </div>`;
}
