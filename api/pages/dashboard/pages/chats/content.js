/** What a message says, by its kind. */

import { html } from "../../lib/vendor/preact.js";
import { count, time } from "../../lib/format.js";
import { useWords } from "../../lib/words.js";
import { Media } from "./media.js";
import { cardsOf, choicesOf, partOf } from "./said.js";
import { Link, Text } from "./text.js";
import { words } from "../chats.words.js";

const FILES = new Set(["image", "video", "gif", "video_note", "audio", "voice", "document", "sticker"]);
const CHOICES = new Set(["buttons", "list", "interactive"]);

export function Content({ row, marks }) {
  const t = useWords(words);
  const [name, part] = partOf(row.message);
  const text = row.text && html`<${Text} value=${row.text} />`;
  const kind = html`<span class="kind">${t(`kind.${row.type}`)}</span>`;
  if (row.type === "revoked") return html`<p class="gone">${t("kind.revoked")}</p>`;
  if (FILES.has(row.type)) return html`<${Media} row=${row} part=${part} />${text}`;
  if (CHOICES.has(row.type)) return html`${kind}${text}<ul class="options">${choicesOf(part).map((each) => html`<li dir="auto">${each}</li>`)}</ul>`;
  switch (row.type) {
    case "text":
      return text;
    case "location":
      return html`${kind}<${Place} part=${part} />`;
    case "contact":
      return html`${kind}<${Cards} part=${part} />`;
    case "poll":
      return html`${kind}<${Poll} part=${part} votes=${marks.votes(row.messageId)} />`;
    case "event":
      return html`${kind}<${Invitation} part=${part} />`;
    case "group_invite":
      return html`${kind}<b dir="auto">${part.groupName ?? t("noName")}</b>${text}`;
    case "album":
    case "choice":
    case "forward":
      return html`${kind}${text}`;
    default:
      return html`<span class="kind">${t("unshown", { kind: name || row.type })}</span>${text}`;
  }
}

function Place({ part }) {
  const t = useWords(words);
  const [north, east] = [Number(part.degreesLatitude), Number(part.degreesLongitude)];
  const map = `https://www.openstreetmap.org/?mlat=${north}&mlon=${east}#map=16/${north}/${east}`;
  return html`<p>
    ${part.name && html`<b dir="auto">${part.name}</b><br />`}${part.address && html`<span dir="auto">${part.address}</span><br />`}
    ${part.caption && html`<span dir="auto">${part.caption}</span><br />`}
    ${Number.isFinite(north) && Number.isFinite(east) && html`${north.toFixed(5)}, ${east.toFixed(5)} · <${Link} to=${map}>${t("place")}<//>`}
  </p>`;
}

function Cards({ part }) {
  const t = useWords(words);
  return html`<ul class="options">
    ${cardsOf(part).map(({ name, phones }) => html`<li><b dir="auto">${name ?? t("noName")}</b>${phones.map((each) => html`<br /><bdi>${each}</bdi>`)}</li>`)}
  </ul>`;
}

function Poll({ part, votes }) {
  const t = useWords(words);
  return html`<b dir="auto">${part.name}</b>
    <ul class="options">
      ${(part.options ?? []).map(({ optionName }) => html`<li><span dir="auto">${optionName}</span> <small>${t("votes", { n: count(votes.get(optionName) ?? 0) })}</small></li>`)}
    </ul>`;
}

function Invitation({ part }) {
  const starts = Number(part.startTime);
  return html`<p>
    <b dir="auto">${part.name}</b>${starts > 0 && html`<br />${time(starts * 1000)}`}
    ${part.location?.name && html`<br /><span dir="auto">${part.location.name}</span>`}
    ${part.description && html`<br /><${Text} value=${String(part.description)} />`}
  </p>`;
}
