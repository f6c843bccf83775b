/** What can be done with a webhook: tested, paused, changed, its secret made anew, removed. */

import { html, useEffect, useState } from "../../../lib/vendor/preact.js";
import { duration } from "../../../lib/format.js";
import { del, orProblem, post } from "../../../lib/http.js";
import { can, useMe } from "../../../lib/me.js";
import { useWords } from "../../../lib/words.js";
import { Badge } from "../../../parts/badge.js";
import { Button } from "../../../parts/button.js";
import { Confirm, Dialog } from "../../../parts/dialog.js";
import { Field, Form } from "../../../parts/form.js";
import { Code, Failure, Spinner } from "../../../parts/page.js";
import { useToast } from "../../../parts/toast.js";
import { words } from "../webhooks.words.js";
import { Editor } from "./editor.js";
import { Secret } from "./secret.js";

const HOUR = 3600; // seconds
const DAY = 24 * HOUR;

/** Whether this webhook is `me`'s to change: one of all sessions is nobody's who has certain ones. */
export function mayChange(me, webhook) {
  return webhook.sessionId === null ? me.sessions === null && can(me, "settings") : can(me, "settings", webhook.sessionId);
}

/** Buttons, and the dialogs that they open; `brief`: the first of them. */
export function Acts({ webhook, session, reload, onGone, brief = false }) {
  const t = useWords(words);
  const toast = useToast();
  const [doing, setDoing] = useState(null);
  const [secret, setSecret] = useState(null);
  if (!mayChange(useMe(), webhook)) return null;
  const path = `/api/webhooks/${webhook.id}`;
  const close = () => setDoing(null);
  const turn = async () => {
    await toast.doing(post(`${path}/${webhook.active ? "pause" : "resume"}`));
    reload();
  };
  const changed = () => {
    close();
    toast(t("changed"));
    reload();
  };
  const rotated = (made) => {
    close();
    setSecret(made);
    reload();
  };
  const remove = async () => {
    await del(path);
    toast(t("removed"));
    onGone();
  };
  const kind = brief ? "quiet" : "plain";
  return html`<div class="actions">
      <${Button} kind=${kind} onClick=${() => setDoing("test")}>${t("test")}<//>
      <${Button} kind=${kind} onClick=${turn}>${webhook.active ? t("pause") : t("resume")}<//>
      <${Button} kind=${kind} onClick=${() => setDoing("edit")}>${t("edit")}<//>
      ${!brief && html`<${Button} onClick=${() => setDoing("rotate")}>${t("rotate")}<//>`}
      ${!brief && html`<${Button} kind="danger" onClick=${() => setDoing("delete")}>${t("delete")}<//>`}
    </div>
    ${doing === "test" && html`<${Test} path=${path} onClose=${close} />`}
    ${doing === "edit" && html`<${Editor} session=${session} webhook=${webhook} onSaved=${changed} onClose=${close} />`}
    ${doing === "rotate" && html`<${Rotation} path=${path} onRotated=${rotated} onClose=${close} />`}
    ${doing === "delete" && html`<${Confirm} title=${t("deleteTitle")} action=${t("delete")} onConfirm=${remove} onClose=${close}>${t("deleteText", { url: webhook.url })}<//>`}
    ${secret && html`<${Secret} value=${secret} onClose=${() => setSecret(null)} />`}`;
}

/** A test event, sent as this opens, and what came of it. */
function Test({ path, onClose }) {
  const t = useWords(words);
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState(null);
  const send = () => {
    setFound(null);
    setProblem(null);
    return orProblem(async () => setFound(await post(`${path}/test`)), setProblem);
  };
  useEffect(() => {
    send();
  }, [path]);
  return html`<${Dialog} title=${t("testTitle")} onClose=${onClose}>
    <div role="status">
      ${problem && html`<${Failure} problem=${problem} />`} ${!found && !problem && html`<${Spinner} />`}
      ${found && html`<${Tested} found=${found} />`}
    </div>
    <div class="actions"><${Button} disabled=${!found && !problem} onClick=${send}>${t("again")}<//><${Button} kind="main" onClick=${onClose}>${t("close")}<//></div>
  <//>`;
}

function Tested({ found }) {
  const t = useWords(words);
  return html`<dl class="facts">
      <dt>${t("outcome")}</dt><dd>${found.delivered ? html`<${Badge} kind="good">${t("status.delivered")}<//>` : html`<${Badge} kind="bad">${t("notDelivered")}<//>`}</dd>
      ${found.response && html`<dt>${t("answer")}</dt><dd>${found.response.status}</dd>`}
      <dt>${t("latency")}</dt><dd>${duration(found.latencyMs)}</dd>
      ${found.error && html`<dt>${t("error")}</dt><dd>${found.error}</dd>`}
    </dl>
    ${found.response?.body && html`<${Code} value=${found.response.body} label=${t("answerBody")} />`}`;
}

function Rotation({ path, onRotated, onClose }) {
  const t = useWords(words);
  const rotate = async ({ graceSeconds }) => {
    const hours = graceSeconds ?? 0;
    const { secret } = await post(`${path}/rotate-secret`, { graceSeconds: Math.round(hours * HOUR) });
    onRotated(secret);
  };
  return html`<${Dialog} title=${t("rotateTitle")} onClose=${onClose}>
    <p>${t("rotateText")}</p>
    <${Form} onSubmit=${rotate} submit=${t("rotate")} actions=${html`<${Button} onClick=${onClose}>${t("cancel")}<//>`}>
      <${Field} label=${t("grace")} hint=${t("graceHint")} name="graceSeconds" type="number" min="0" max="720" step="any" defaultValue=${DAY / HOUR} />
    <//>
  <//>`;
}
