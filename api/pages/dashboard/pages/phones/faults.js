/** What can be made to go wrong: the network, for one phone or all, and the sessions themselves. */

import { html, useState } from "../../lib/vendor/preact.js";
import { del, get, post } from "../../lib/http.js";
import { usePolled } from "../../lib/live.js";
import { duration } from "../../lib/format.js";
import { useWords } from "../../lib/words.js";
import { Button } from "../../parts/button.js";
import { Field, Form, Select } from "../../parts/form.js";
import { Card } from "../../parts/page.js";
import { useToast } from "../../parts/toast.js";
import { words } from "../phones.words.js";

const POLLED = 2000; // ms
const KINDS = ["delay", "drop", "stall", "refuseConnection", "hangConnection", "refuseLogin", "ackError", "noAck", "mediaError", "usyncError"];
const FOR_ALL = new Set(["refuseConnection", "hangConnection"]); // nobody is known yet when they strike
const AT_ONCE = new Set(["drop"]);
const TIMES = [10, 60, 300, 0]; // s

const look = async () => {
  const [{ faults }, { sessions }] = await Promise.all([get("/api/loopback/faults"), get("/api/sessions", { limit: 500 })]);
  return { faults, sessions };
};

export function Faults({ phones }) {
  const t = useWords(words);
  const toast = useToast();
  const { data, reload } = usePolled(look, POLLED);
  const [chosen, setChosen] = useState({ kind: "delay", phone: "", delay: "2", seconds: "60" }); // kept while the rest is drawn anew
  const { kind } = chosen;
  const choose = ({ target }) => setChosen((before) => ({ ...before, [target.name]: target.value }));
  const [crashing, setCrashing] = useState(null);
  const begin = async () => {
    const { phone, delay, seconds } = chosen;
    const done = await post("/api/loopback/faults", {
      kind,
      ...(phone && !FOR_ALL.has(kind) && { phone }),
      ...(kind === "delay" && { delayMs: Math.round(Number(delay) * 1000) }),
      ...(Number(seconds) && { durationMs: Number(seconds) * 1000 }),
    });
    toast(AT_ONCE.has(kind) ? t("struck", { count: done.struck }) : t("begun"));
    reload();
  };
  const lift = (id) => toast.doing(del(`/api/loopback/faults/${id}`)).then(reload);
  const session = crashing ?? data?.sessions[0]?.id;
  const crash = async () => {
    if (await toast.doing(post(`/api/loopback/actors/${encodeURIComponent(session)}/crash`))) toast(t("crashed", { name: session }));
  };
  return html`<${Card} title=${t("faults")}>
    <p class="dim">${t("faultsHint")}</p>
    <div class="halves">
      <${Form} onSubmit=${begin} submit=${t("begin")} kind="plain">
        <${Select} label=${t("fault")} name="kind" value=${kind} hint=${t(`fault.${kind}.hint`)} options=${KINDS.map((each) => [each, t(`fault.${each}`)])} onChange=${choose} />
        ${!FOR_ALL.has(kind) && html`<${Select} label=${t("whom")} name="phone" value=${chosen.phone} onChange=${choose} options=${[["", t("everybody")], ...phones.map(({ phone, name }) => [phone, `${name} · +${phone}`])]} />`}
        ${kind === "delay" && html`<${Field} label=${t("delay")} name="delay" type="number" min="0.1" max="60" step="0.1" value=${chosen.delay} onInput=${choose} />`}
        ${!AT_ONCE.has(kind) && html`<${Select} label=${t("howLong")} name="seconds" value=${chosen.seconds} onChange=${choose} options=${TIMES.map((each) => [String(each), each ? duration(each * 1000) : t("untilLifted")])} />`}
      <//>
      <div class="form at-top">
        <h3>${t("inForce")}</h3>
        ${data?.faults.length
          ? html`<ul class="plain tallied">${data.faults.map((each) => html`<li key=${each.id}><span>${t(`fault.${each.kind}`)}<small class="under">${[each.phone ? `+${each.phone}` : t("everybody"), each.remainingMs !== null && duration(each.remainingMs)].filter(Boolean).join(" · ")}</small></span><${Button} onClick=${() => lift(each.id)}>${t("lift")}<//></li>`)}</ul>`
          : html`<p class="dim">${t("noFaults")}</p>`}
        <h3>${t("crash")}</h3>
        <p class="dim">${t("crashHint")}</p>
        <div class="filters">
          <select aria-label=${t("session")} value=${session} onChange=${(event) => setCrashing(event.target.value)}>
            ${data?.sessions.map(({ id, name }) => html`<option value=${id} selected=${id === session}>${name}</option>`)}
          </select>
          <${Button} kind="danger" disabled=${!session} onClick=${crash}>${t("crashIt")}<//>
        </div>
      </div>
    </div>
  <//>`;
}
