/** Sessions that wait for a scan, and a phone to scan each with. */

import { html, useState } from "../../lib/vendor/preact.js";
import { href } from "../../lib/route.js";
import { useWords } from "../../lib/words.js";
import { Button } from "../../parts/button.js";
import { useToast } from "../../parts/toast.js";
import { words } from "../phones.words.js";
import { freeNumber, network } from "./network.js";

const NEW = "new";

/** `linked` says which phones have a session already: they come last. */
export function Awaited({ sessions, phones, linked, reload }) {
  const t = useWords(words);
  if (!sessions.length) return null;
  return html`<section class="card awaited" aria-label=${t("awaited")}>
    ${sessions.map((session) => html`<${One} key=${session.id} session=${session} phones=${phones} linked=${linked} reload=${reload} />`)}
  </section>`;
}

function One({ session, phones, linked, reload }) {
  const t = useWords(words);
  const toast = useToast();
  const free = phones.filter(({ phone }) => !linked.has(phone));
  const [chosen, setChosen] = useState(null);
  const number = chosen ?? free[0]?.phone ?? NEW;
  const scan = async () => {
    const done = await toast.doing(scanned(number, session, phones));
    if (done) toast(t("scanned", { name: session.name }));
    reload();
  };
  return html`<div class="filters">
    <p><strong>${session.name}</strong> ${t("waits")}</p>
    <select aria-label=${t("withPhone", { name: session.name })} value=${number} onChange=${(event) => setChosen(event.target.value)}>
      ${[...free, ...phones.filter((each) => linked.has(each.phone))].map(({ phone, name }) => html`<option value=${phone} selected=${phone === number}>${name} · +${phone}</option>`)}
      <option value=${NEW} selected=${number === NEW}>${t("onNewPhone")}</option>
    </select>
    <${Button} kind="main" onClick=${scan}>${t("scan")}<//>
    <a href=${href("sessions", session.id, "pairing")}>${t("seeCode")}</a>
  </div>`;
}

async function scanned(number, { id, name }, phones) {
  const phone = number === NEW ? (await network.make(freeNumber(phones), name)).phone : number;
  return network.scan(phone, { sessionId: id });
}
