/** The form that a key of a session is made with. */

import { html } from "../../lib/vendor/preact.js";
import { post } from "../../lib/http.js";
import { useWords } from "../../lib/words.js";
import { Checks, Field, Form } from "../../parts/form.js";
import { words } from "./keys.words.js";

/** Those that a session's key may have; the gateway has more. */
const SCOPES = ["status", "read", "send", "control", "settings", "files", "media", "delete"];
const USUAL = ["read", "send", "files"];

/** `onMade({key, apiKey})`. */
export function NewKey({ session, onMade, actions }) {
  const t = useWords(words);
  const make = async ({ name, scopes, allowedIps, expiresAt }) => {
    const networks = allowedIps.split(/[\s,]+/).filter(Boolean);
    onMade(
      await post("/api/keys", {
        sessionId: session.id,
        name: name.trim(),
        scopes,
        ...(networks.length && { allowedIps: networks }),
        ...(expiresAt && { expiresAt: new Date(expiresAt).toISOString() }),
      }),
    );
  };
  return html`<${Form} onSubmit=${make} submit=${t("create")} actions=${actions}>
    <${Field} label=${t("name")} name="name" hint=${t("nameHint")} autocomplete="off" autofocus />
    <${Checks} label=${t("scopes")} name="scopes" initial=${USUAL} options=${SCOPES.map((each) => [each, t(`scope.${each}`)])} />
    <${Field} label=${t("allowedIps")} name="allowedIps" hint=${t("allowedIpsHint")} placeholder="203.0.113.7, 10.0.0.0/8" autocomplete="off" spellcheck=${false} />
    <${Field} label=${t("expires")} name="expiresAt" type="datetime-local" hint=${t("expiresHint")} />
  <//>`;
}
