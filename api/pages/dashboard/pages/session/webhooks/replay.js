/** A stretch of the log, delivered again. */

import { html, useState } from "../../../lib/vendor/preact.js";
import { post } from "../../../lib/http.js";
import { useWords } from "../../../lib/words.js";
import { Button } from "../../../parts/button.js";
import { Dialog } from "../../../parts/dialog.js";
import { Field, Form, Select } from "../../../parts/form.js";
import { useToast } from "../../../parts/toast.js";
import { words } from "../webhooks.words.js";

export function Replay({ webhook, onDone, onClose }) {
  const t = useWords(words);
  const toast = useToast();
  const [by, setBy] = useState("time");
  const place = (value) => (by === "time" ? new Date(value).toISOString() : value.trim());
  const replay = async ({ after, until }) => {
    await post(`/api/webhooks/${webhook.id}/replay`, { after: after && place(after), ...(until && { until: place(until) }) });
    toast(t("replayBegun"));
    onDone();
    onClose();
  };
  const line = by === "time" ? { type: "datetime-local", step: 1 } : { type: "text", class: "mono", autocomplete: "off" };
  return html`<${Dialog} title=${t("replay")} onClose=${onClose}>
    <p>${t("replayText")}</p>
    <${Form} onSubmit=${replay} submit=${t("replay")} actions=${html`<${Button} onClick=${onClose}>${t("cancel")}<//>`}>
      <${Select} label=${t("replayBy")} value=${by} onChange=${(event) => setBy(event.target.value)} options=${[["time", t("byTime")], ["cursor", t("byCursor")]]} />
      <${Field} key=${`after-${by}`} label=${t("replayAfter")} name="after" required ...${line} />
      <${Field} key=${`until-${by}`} label=${t("replayUntil")} hint=${t("replayUntilHint")} name="until" ...${line} />
    <//>
  <//>`;
}
