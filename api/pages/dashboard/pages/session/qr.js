/** The QR code that a session shows now, always the newest. */

import { html, useEffect, useRef, useState } from "../../lib/vendor/preact.js";
import { ofSession, orProblem, send } from "../../lib/http.js";
import { useWords } from "../../lib/words.js";
import { Failure, Spinner } from "../../parts/page.js";
import { words } from "./pairing.words.js";

const SOON = 2000; // ms until it is asked again, when there is none or it should have changed

/** Asked again when `codes` grows and when the code runs out. */
export function Qr({ session, codes }) {
  const t = useWords(words);
  const { url, left, error, look } = useQr(session.id, codes);
  if (error) return html`<${Failure} problem=${error} retry=${look} />`;
  if (!url) return html`<${Spinner} />`;
  return html`<figure class="qr">
    <img src=${url} alt=${t("qrAlt")} width="280" height="280" />
    <figcaption class="dim">${left > 0 ? t("renewed", { seconds: left }) : t("renewing")}</figcaption>
  </figure>`;
}

/** {url, left, error, look}: the picture and for how many seconds it is good. */
function useQr(id, codes) {
  const [shown, setShown] = useState({ url: null, until: 0, error: null });
  const [now, setNow] = useState(Date.now());
  const again = useRef(null);
  const look = useRef(null);
  useEffect(() => {
    let over = false;
    let url = null;
    let round = 0;
    const show = (blob, until, error = null) => {
      if (url) URL.revokeObjectURL(url);
      url = blob && URL.createObjectURL(blob);
      setShown({ url, until, error });
    };
    look.current = async () => {
      clearTimeout(again.current);
      const mine = ++round;
      const asked = await ask(id);
      if (over || mine !== round) return;
      setNow(Date.now());
      show(asked.blob, asked.until, asked.error);
      const wait = Math.max(asked.until - Date.now(), 0) || SOON;
      if (!asked.error) again.current = setTimeout(look.current, Math.max(wait, SOON / 2));
    };
    const tick = setInterval(() => setNow(Date.now()), 1000);
    return () => {
      over = true;
      clearTimeout(again.current);
      clearInterval(tick);
      if (url) URL.revokeObjectURL(url);
    };
  }, [id]);
  useEffect(() => {
    look.current();
  }, [id, codes]);
  return { url: shown.url, error: shown.error, left: Math.ceil((shown.until - now) / 1000), look: () => look.current() };
}

/** {blob, until, error}: `until` by this machine's clock; no blob while there is no code. */
function ask(id) {
  const code = async () => {
    const response = await send("GET", ofSession(id, "qr"), { query: { format: "svg" } });
    const sent = Date.parse(response.headers.get("date")) || Date.now();
    const good = Date.parse(response.headers.get("expires")) - sent;
    return { blob: await response.blob(), until: Date.now() + (good || SOON), error: null };
  };
  return orProblem(code, (error) => {
    const none = error.code === "no_qr" || error.status === 503;
    return { blob: null, until: 0, error: none ? null : error };
  });
}
