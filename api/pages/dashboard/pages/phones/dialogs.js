/** A new phone; and a code that a phone is to scan, or to have typed in. */

import { html, useMemo } from "../../lib/vendor/preact.js";
import { useWords } from "../../lib/words.js";
import { Button } from "../../parts/button.js";
import { Dialog } from "../../parts/dialog.js";
import { Field, Form } from "../../parts/form.js";
import { useToast } from "../../parts/toast.js";
import { words } from "../phones.words.js";
import { freeNumber, network } from "./network.js";

const PAIRING_CODE = /^[0-9A-Za-z]{4}-?[0-9A-Za-z]{4}$/;

/** `onMade(number)`. */
export function NewPhone({ phones, onClose, onMade }) {
  const t = useWords(words);
  const number = useMemo(() => freeNumber(phones), []);
  const make = async ({ phone, name }) => onMade((await network.make(phone.replace(/[^0-9]/g, ""), name.trim())).phone);
  return html`<${Dialog} title=${t("newPhone")} onClose=${onClose}>
    <${Form} onSubmit=${make} submit=${t("create")} actions=${html`<${Button} onClick=${onClose}>${t("cancel")}<//>`}>
      <${Field} label=${t("name")} name="name" hint=${t("nameHint")} autocomplete="off" required autofocus />
      <${Field} label=${t("number")} name="phone" hint=${t("numberHint")} inputmode="tel" autocomplete="off" defaultValue=${number} required />
    <//>
  <//>`;
}

/** The text of a QR code, or an eight-letter pairing code. */
export function ScanCode({ phone, onClose }) {
  const t = useWords(words);
  const toast = useToast();
  const scan = async ({ code }) => {
    const given = code.trim();
    if (PAIRING_CODE.test(given)) await network.enter(phone.phone, given);
    else await network.scan(phone.phone, { qr: given });
    toast(t("scanned", { name: phone.name }));
    onClose();
  };
  return html`<${Dialog} title=${t("scanWith", { name: phone.name })} onClose=${onClose}>
    <${Form} onSubmit=${scan} submit=${t("scan")} actions=${html`<${Button} onClick=${onClose}>${t("cancel")}<//>`}>
      <${Field} label=${t("code")} name="code" rows="4" hint=${t("codeHint")} spellcheck=${false} autocomplete="off" required />
    <//>
  <//>`;
}
