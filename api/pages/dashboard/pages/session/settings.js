/** A session's settings: what is changed is sent, the rest stays. */

import { html, useState } from "../../lib/vendor/preact.js";
import { ofSession, patch, Problem } from "../../lib/http.js";
import { useWords } from "../../lib/words.js";
import { Checks, Field, Form, Select, Switch } from "../../parts/form.js";
import { Card } from "../../parts/page.js";
import { useToast } from "../../parts/toast.js";
import { changesOf } from "./changes.js";
import { LimitFields, limitsOf } from "./limits.js";
import { words } from "./settings.words.js";

const IGNORED = ["groups", "channels", "status", "broadcasts"];
const DEPTHS = ["", "none", "recent", "full"];
const CALLS = ["no", "silently", "message"];

/** How calls are dealt with, as one of CALLS. */
const callsOf = ({ autoRejectCalls: how }) => (typeof how === "object" && how ? "message" : how ? "silently" : "no");

export default function Settings({ session, reload }) {
  const t = useWords(words);
  const toast = useToast();
  const [calls, setCalls] = useState(callsOf(session));
  const save = async (values) => {
    const changes = changesOf(session, read(values, t));
    if (!Object.keys(changes).length) return toast(t("nothingChanged"));
    await patch(ofSession(session.id), changes);
    await reload();
    toast(t("proxy" in changes ? "savedProxy" : "saved"));
  };
  const ignored = IGNORED.filter((each) => session.ignore?.[each]);
  return html`<${Form} onSubmit=${save} submit=${t("save")}>
    <div class="halves">
      <${Card} title=${t("general")}>
        <${Field} label=${t("name")} name="name" defaultValue=${session.name} autocomplete="off" />
        <${Field} label=${t("deviceName")} hint=${t("deviceNameHint")} name="deviceName" defaultValue=${session.deviceName ?? ""} autocomplete="off" />
        <${Select} label=${t("history")} hint=${t("historyHint")} name="history" initial=${session.history ?? ""} options=${DEPTHS.map((each) => [each, t(`history.${each || "default"}`)])} />
        <${Field} label=${t("metadata")} hint=${t("metadataHint")} name="metadata" rows="6" class="mono" spellcheck=${false} defaultValue=${JSON.stringify(session.metadata, null, 2)} />
      <//>
      <${Card} title=${t("receiving")}>
        <${Switch} label=${t("autoRead")} hint=${t("autoReadHint")} name="autoRead" defaultChecked=${session.autoRead ?? false} />
        <${Select} label=${t("calls")} name="autoRejectCalls" value=${calls} onChange=${(event) => setCalls(event.target.value)} options=${CALLS.map((each) => [each, t(`calls.${each}`)])} />
        ${calls === "message" && html`<${Field} label=${t("callMessage")} name="autoRejectCalls.message" rows="2" defaultValue=${session.autoRejectCalls?.message ?? ""} />`}
        <${Checks} label=${t("ignore")} hint=${t("ignoreHint")} name="ignored" initial=${ignored} options=${IGNORED.map((each) => [each, t(`ignore.${each}`)])} />
        <${Field} label=${t("ignoreChats")} hint=${t("ignoreChatsHint")} name="ignore.chats" rows="3" class="mono" spellcheck=${false} defaultValue=${(session.ignore?.chats ?? []).join("\n")} />
      <//>
      <${Card} title=${t("sending")}><${LimitFields} limits=${session.limits ?? {}} /><//>
      <${Card} title=${t("connection")}>
        <${Field} label=${t("proxy")} hint=${t("proxyHint")} name="proxy" defaultValue=${session.proxy ?? ""} placeholder="socks5://user:password@host:1080" autocomplete="off" inputmode="url" spellcheck=${false} />
      <//>
    </div>
  <//>`;
}

/** The form's values as settings. Raises Problem for metadata that is no JSON. */
function read(values, t) {
  const chats = values["ignore.chats"].split(/[\s,]+/).filter(Boolean);
  const ignore = { ...Object.fromEntries(values.ignored.map((each) => [each, true])), ...(chats.length && { chats }) };
  return {
    name: values.name.trim(),
    deviceName: values.deviceName.trim() || null,
    history: values.history || null,
    metadata: jsonOf(values.metadata, t),
    limits: limitsOf(values),
    proxy: values.proxy.trim() || null,
    autoRead: values.autoRead,
    autoRejectCalls: { no: null, silently: true, message: { message: values["autoRejectCalls.message"] ?? "" } }[values.autoRejectCalls],
    ignore: Object.keys(ignore).length ? ignore : null,
  };
}

function jsonOf(text, t) {
  try {
    return JSON.parse(text.trim() || "{}");
  } catch {
    throw new Problem(400, { detail: t("notJson"), errors: [{ path: "metadata", message: t("notJson") }] });
  }
}
