/** A message's file: pictures, films and sounds are shown, everything else can be saved. */

import { html, useState } from "../../lib/vendor/preact.js";
import { ofSession, orProblem, send } from "../../lib/http.js";
import { bytes } from "../../lib/format.js";
import { useWords } from "../../lib/words.js";
import { Button } from "../../parts/button.js";
import { safeName } from "./said.js";
import { words } from "../chats.words.js";

const THUMBNAIL = /^[A-Za-z0-9+/]+=*$/;

/** `part` is the part of the message's content with the file. */
export function Media({ row, part }) {
  const t = useWords(words);
  const [asked, setAsked] = useState(false);
  const [broken, setBroken] = useState(null); // {why}, null where the file is there and is nothing to show
  const source = ofSession(row.sessionId, "messages", row.messageId, "media");
  const failed = () =>
    orProblem(
      async () => {
        await send("GET", source, { headers: { range: "bytes=0-0" } });
        setBroken({ why: null });
      },
      (problem) => setBroken({ why: problem.detail }),
    );
  const again = () => {
    setBroken(null);
    setAsked(true);
  };
  if (row.type === "document") return html`<${Document} source=${source} part=${part} />`;
  if (broken && broken.why === null) return html`<${Document} source=${source} part=${part} kind=${row.type} />`;
  if (broken) return html`<p class="file wrong">${t("notThere", broken)} <${Button} kind="quiet" onClick=${again}>${t("again")}<//></p>`;
  const still = row.type === "image" || row.type === "sticker";
  // What is not downloaded yet would be fetched from WhatsApp: when somebody asks for it.
  if (still && row.mediaId === null && !asked) {
    return html`<div class="file">
      <${Thumbnail} part=${part} />
      <${Button} onClick=${() => setAsked(true)}>${t("load")} · ${t(`kind.${row.type}`)}<//>
    </div>`;
  }
  if (still) {
    return html`<a href=${source} target="_blank" rel="noreferrer" class="picture ${row.type}" style=${shape(part)}>
      <img src=${source} loading="lazy" decoding="async" alt=${row.text || t(`kind.${row.type}`)} onError=${failed} />
    </a>`;
  }
  if (row.type === "audio" || row.type === "voice") {
    return html`<audio controls preload="none" src=${source} aria-label=${t(`kind.${row.type}`)} onError=${failed}></audio>`;
  }
  const poster = thumbnailOf(part);
  return html`<video controls preload="none" playsinline src=${source} poster=${poster} loop=${row.type === "gif"} style=${shape(part)}
    aria-label=${t(`kind.${row.type}`)} onError=${failed}></video>`;
}

function Document({ source, part, kind = "document" }) {
  const t = useWords(words);
  const name = safeName(part.fileName ?? part.title, t(`kind.${kind}`));
  const size = Number(part.fileLength);
  return html`<p class="file">
    <a class="button" href=${source} download=${name}>${t("download")}</a>
    <span><bdi class="strong">${name}</bdi>${size > 0 && html`<br /><small>${bytes(size)}</small>`}</span>
  </p>`;
}

function Thumbnail({ part }) {
  const source = thumbnailOf(part);
  return source && html`<img class="thumbnail" src=${source} alt="" />`;
}

/** The small picture that came along, as an address; null: none. */
function thumbnailOf({ jpegThumbnail }) {
  return typeof jpegThumbnail === "string" && THUMBNAIL.test(jpegThumbnail) ? `data:image/jpeg;base64,${jpegThumbnail}` : null;
}

/** Room for it before it is there, so that nothing moves when it comes. */
function shape({ width, height }) {
  const [wide, high] = [Number(width), Number(height)];
  return wide > 0 && high > 0 ? { aspectRatio: `${wide} / ${high}`, width: `${Math.min(wide, (wide / high) * 360)}px` } : {};
}
