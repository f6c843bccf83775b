/** Linking a phone: where it stands, the code to scan, and the code to type instead. */

import { html } from "../../lib/vendor/preact.js";
import { ofSession, post } from "../../lib/http.js";
import { useMe } from "../../lib/me.js";
import { href } from "../../lib/route.js";
import { useWords } from "../../lib/words.js";
import { Button } from "../../parts/button.js";
import { Card } from "../../parts/page.js";
import { useToast } from "../../parts/toast.js";
import { words } from "./pairing.words.js";
import { Qr } from "./qr.js";
import { TypedCode } from "./typedcode.js";

const STEPS = ["begin", "scan", "sync", "connected"];

/** Which of STEPS a session is at, by its row. */
export function stepOf({ status, jid }) {
  if (status === "connected") return "connected";
  if (jid && ["starting", "pairing", "reconnecting"].includes(status)) return "sync";
  return status === "pairing" ? "scan" : "begin";
}

export default function Pairing({ session, codes, reload }) {
  const t = useWords(words);
  const step = stepOf(session);
  return html`<div class="pairing">
    <${Steps} step=${step} />
    ${step === "connected" && html`<${Linked} session=${session} />`}
    ${step === "sync" && html`<${Card} title=${t("syncing")}><p>${t("syncingText")}</p><//>`}
    ${(step === "begin" || step === "scan") &&
    html`<div class="halves">
      ${step === "begin" ? html`<${Begin} session=${session} reload=${reload} />` : html`<${Scan} session=${session} codes=${codes} />`}
      <div class="pairing">
        ${step === "scan" && html`<${OnPhone} />`}
        ${!session.jid && html`<${Card} title=${t("typeTitle")}><${TypedCode} session=${session} reload=${reload} /><//>`}
      </div>
    </div>`}
  </div>`;
}

/** How far it is. */
function Steps({ step }) {
  const t = useWords(words);
  const at = STEPS.indexOf(step);
  const state = (n) => (n < at || step === "connected" ? "over" : n === at ? "now" : "");
  return html`<p class="unseen" role="status">${t(`step.${step}`)}</p>
  <ol class="steps">
    ${STEPS.map((each, n) => html`<li class=${state(n)} aria-current=${n === at ? "step" : null}><span aria-hidden="true">${state(n) === "over" ? "✓" : n + 1}</span>${t(`step.${each}`)}</li>`)}
  </ol>`;
}

/** The session does not run, or is about to. */
function Begin({ session, reload }) {
  const t = useWords(words);
  const toast = useToast();
  if (session.status === "starting" || session.status === "reconnecting") return html`<${Card} title=${t("starting")}><p>${t("startingText")}</p><//>`;
  const start = async () => {
    await post(ofSession(session.id, "start"));
    reload();
  };
  return html`<${Card} title=${t(session.jid ? "stoppedLinked" : "stopped")}>
    ${session.lastError && html`<p class="bad">${session.lastError}</p>`}
    <p>${t(session.jid ? "stoppedLinkedText" : "stoppedText")}</p>
    <div class="actions"><${Button} kind="main" onClick=${() => toast.doing(start())}>${t("start")}<//></div>
  <//>`;
}

function Linked({ session }) {
  const t = useWords(words);
  return html`<${Card} title=${t("linkedTitle")}>
    <p>${t("linkedText", { account: [session.pushName, `+${session.phone}`].filter(Boolean).join(", ") })}</p>
    <p class="dim">${t("another")}</p>
    <div class="actions"><a class="button main" href=${href("sessions", session.id)}>${t("toOverview")}</a></div>
  <//>`;
}

function Scan({ session, codes }) {
  const t = useWords(words);
  return html`<${Card} title=${t("scanTitle")}>
    <${Qr} session=${session} codes=${codes} />
    ${useMe().sandbox && html`<p class="note">${t("sandbox")} <a href=${href("phones")}>${t("toPhones")}</a></p>`}
  <//>`;
}

function OnPhone() {
  const t = useWords(words);
  return html`<${Card} title=${t("onPhone")}>
    <ol class="how">${["open", "menu", "linked", "aim"].map((each) => html`<li>${t(`how.${each}`)}</li>`)}</ol>
  <//>`;
}
