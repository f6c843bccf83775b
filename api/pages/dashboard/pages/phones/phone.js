/** One simulated phone as its owner sees it: the chats, and one of them. */

import { html, useEffect, useState } from "../../lib/vendor/preact.js";
import { usePolled } from "../../lib/live.js";
import { time } from "../../lib/format.js";
import { href } from "../../lib/route.js";
import { useWords } from "../../lib/words.js";
import { Button } from "../../parts/button.js";
import { Confirm } from "../../parts/dialog.js";
import { Empty, Failure, Page, Spinner } from "../../parts/page.js";
import { useToast } from "../../parts/toast.js";
import { words } from "../phones.words.js";
import { ScanCode } from "./dialogs.js";
import { network, phoneWithChats } from "./network.js";
import { Talk, said } from "./talk.js";

const POLLED = 1000; // ms

export function Phone({ number, peer }) {
  const t = useWords(words);
  const toast = useToast();
  const [asks, setAsks] = useState(null);
  const { data, error, reload } = usePolled(() => phoneWithChats(number, peer), POLLED);
  useEffect(() => {
    if (data) reload();
  }, [peer]);
  const back = { href: href("phones"), title: t("page.phones") };
  if (!data) return html`<${Page} title=${`+${number}`} back=${back}>${error ? html`<${Failure} problem=${error} retry=${reload} />` : html`<${Spinner} />`}<//>`;
  const { phone, chats } = data;
  if (!phone) return html`<${Page} title=${`+${number}`} back=${back}><${Empty} title=${t("noSuchPhone")} /><//>`;
  const open = chats.find((chat) => chat.peer === peer);
  const autoRead = (event) => toast.doing(network.autoRead(number, event.target.checked)).then(reload);
  const actions = html`
    <label class="auto-read"><input type="checkbox" checked=${phone.autoRead} onChange=${autoRead} /> ${t("autoRead")}</label>
    <${Button} onClick=${() => setAsks("scan")}>${t("scanCode")}<//>
    ${phone.devices.length > 0 && html`<${Button} kind="danger" onClick=${() => setAsks("unlink")}>${t("unlink")}<//>`}`;
  return html`<${Page} title=${phone.name} back=${back} actions=${actions}>
    <p class="dim"><span class="mono">+${number}</span> · ${phone.devices.length ? t("devices", { count: phone.devices.length }) : t("unlinked")}</p>
    ${error && html`<${Failure} problem=${error} retry=${reload} />`}
    <div class="chats handset ${open ? "open" : ""}">
      <aside aria-label=${t("chats")}>
        <ul class="rows scroll">${chats.map((chat) => html`<li key=${chat.peer}><${ChatRow} chat=${chat} number=${number} current=${chat.peer === peer} t=${t} /></li>`)}</ul>
      </aside>
      ${open ? html`<${Talk} key=${peer} phone=${phone} chat=${open} reload=${reload} />` : html`<section class="conversation none"><p>${t("chooseChat")}</p></section>`}
    </div>
    ${asks === "scan" && html`<${ScanCode} phone=${phone} onClose=${() => setAsks(null)} />`}
    ${asks === "unlink" && html`<${Confirm} title=${t("unlink")} action=${t("unlink")} onClose=${() => setAsks(null)} onConfirm=${() => network.unlink(number).then(reload)}>${t("unlinkText", { name: phone.name })}<//>`}
  <//>`;
}

function ChatRow({ chat, number, current, t }) {
  const last = chat.messages.at(-1);
  return html`<a class="chat" href=${href("phones", number, chat.peer)} aria-current=${current ? "true" : null}>
    <b dir="auto">${chat.name}</b><time>${chat.last ? time(chat.last * 1000) : ""}</time>
    <span class="last" dir="auto">${last ? said(last, t) : chat.group ? t("group") : `+${chat.peer}`}</span>
  </a>`;
}
