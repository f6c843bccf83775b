/** A webhook, new or to be changed. */

import { html, useState } from "../../../lib/vendor/preact.js";
import { ofSession, patch, post, Problem } from "../../../lib/http.js";
import { useMe } from "../../../lib/me.js";
import { EVENTS, MESSAGE_TYPES } from "../../../lib/names.js";
import { useWords } from "../../../lib/words.js";
import { Button } from "../../../parts/button.js";
import { Dialog } from "../../../parts/dialog.js";
import { Checks, Field, Form, Select, Switch } from "../../../parts/form.js";
import { words } from "../webhooks.words.js";

const named = (names) => names.map((name) => [name, name]);

/** `onSaved(answer)` gets what the API says: of a new one its secret too. */
export function Editor({ session, webhook = null, onSaved, onClose }) {
  const t = useWords(words);
  const me = useMe();
  const [all, setAll] = useState(!webhook?.events.length);
  const [more, setMore] = useState(false);
  const [anew, setAnew] = useState(!webhook?.headers.length);
  const [before] = useState(webhook ?? {}); // what the form began with, whatever is told of meanwhile
  const filters = before.filters ?? {};

  const save = async (values) => {
    try {
      const draft = draftOf(values, t);
      if (webhook) onSaved(await patch(`/api/webhooks/${webhook.id}`, draft));
      else onSaved(await post(values.everywhere ? "/api/webhooks" : ofSession(session.id, "webhooks"), made(draft)));
    } catch (problem) {
      if (problem.errors?.some(({ path }) => !/^(url|events)\b/.test(path))) setMore(true); // it stands there
      throw problem;
    }
  };
  return html`<${Dialog} title=${webhook ? t("change") : t("add")} onClose=${onClose}>
    <${Form} onSubmit=${save} submit=${webhook ? t("save") : t("add")} actions=${html`<${Button} onClick=${onClose}>${t("cancel")}<//>`}>
      <${Field} label=${t("url")} hint=${t("urlHint")} name="url" type="url" defaultValue=${before.url} autocapitalize="none" autocomplete="off" required />
      <${Switch} label=${t("allEvents")} hint=${t("allEventsHint")} name="all" checked=${all} onChange=${(event) => setAll(event.target.checked)} />
      ${!all && html`<${Checks} label=${t("events")} name="events" options=${named(EVENTS)} initial=${before.events} />`}
      ${!webhook && me.sessions === null && html`<${Switch} label=${t("everywhere")} hint=${t("everywhereHint")} name="everywhere" />`}
      <details open=${more} onToggle=${(event) => setMore(event.target.open)}>
        <summary>${t("details")}</summary>
        <div class="form">
          <${Select} label=${t("format")} hint=${t("formatHint")} name="format" options=${[["terzetto", "Terzetto"], ["waha", "WAHA"]]} initial=${before.format ?? "terzetto"} />
          <${Field} label=${t("batchMost")} hint=${t("batchMostHint")} name="batch.maxEvents" type="number" min="1" max="500" defaultValue=${before.batch?.maxEvents} />
          <${Field} label=${t("batchWait")} hint=${t("batchWaitHint")} name="batch.maxWaitMs" type="number" min="0" max="10000" defaultValue=${before.batch?.maxWaitMs} />
          ${before.headers?.length > 0 &&
          html`<${Switch} label=${t("headersAnew")} hint=${t("headersNow", { names: before.headers.join(", ") })} name="anew" checked=${anew} onChange=${(event) => setAnew(event.target.checked)} />`}
          ${anew && html`<${Field} label=${t("headers")} hint=${t("headersHint")} name="headers" rows="3" class="mono" spellcheck=${false} />`}
          ${!webhook && html`<${Field} label=${t("ownSecret")} hint=${t("ownSecretHint")} name="secret" type="password" autocomplete="off" />`}
          <${Field} label=${t("filterChats")} hint=${t("filterChatsHint")} name="filters.chats" rows="2" class="mono" defaultValue=${(filters.chats ?? []).join("\n")} />
          <${Select} label=${t("filterFromMe")} name="filters.fromMe" options=${[["", t("either")], ["true", t("fromMe")], ["false", t("fromOthers")]]} initial=${String(filters.fromMe ?? "")} />
          <${Checks} label=${t("filterTypes")} hint=${t("filterTypesHint")} name="filters.types" options=${named(MESSAGE_TYPES)} initial=${filters.types} />
        </div>
      </details>
    <//>
  <//>`;
}

/** What the API is to be told, of the form's values. Throws Problem for what it could not tell. */
function draftOf(values, t) {
  if (!values.all && !values.events.length) throw wrong("events", t("someEvent"));
  const most = values["batch.maxEvents"];
  const wait = values["batch.maxWaitMs"];
  if (most === null && wait) throw wrong("batch.maxEvents", t("batchNeeded"));
  const draft = {
    url: values.url.trim(),
    events: values.all ? [] : values.events,
    format: values.format,
    batch: most === null ? null : { maxEvents: most, maxWaitMs: wait ?? 0 },
    filters: filtersOf(values),
  };
  if (values.headers !== undefined) draft.headers = headersOf(values.headers, t);
  if (values.secret) draft.secret = values.secret.trim();
  return draft;
}

function filtersOf(values) {
  const chats = values["filters.chats"].split(/[\s,]+/).filter(Boolean);
  const types = values["filters.types"];
  const filters = {};
  if (chats.length) filters.chats = chats;
  if (values["filters.fromMe"]) filters.fromMe = values["filters.fromMe"] === "true";
  if (types.length) filters.types = types;
  return Object.keys(filters).length ? filters : null;
}

/** Lines such as `Authorization: Bearer x`. */
function headersOf(text, t) {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf(":");
      if (at < 1) throw wrong("headers", t("headerLine", { line }));
      return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    }),
  );
}

/** Without what is not set: a new webhook has the defaults. */
const made = (draft) => Object.fromEntries(Object.entries(draft).filter(([, value]) => value !== null));

const wrong = (path, message) => new Problem(0, { detail: message, errors: [{ path, message }] });
