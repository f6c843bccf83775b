/** What a message's content says, read from `message` as the API has it. Whatever it is, a stranger wrote it. */

const WRAPPED = ["ephemeralMessage", "viewOnceMessage", "viewOnceMessageV2", "documentWithCaptionMessage"];
const BESIDE = new Set(["messageContextInfo", "senderKeyDistributionMessage"]);
const WORDS = ["text", "caption", "name", "displayName", "contentText", "description", "title", "groupName"];

/** The part that says something: ["imageMessage", {…}]; a text is ["conversation", {text}]. */
export function partOf(message) {
  let found = message ?? {};
  for (let depth = 0; depth < 4; depth += 1) {
    const outer = WRAPPED.find((name) => found[name]?.message);
    if (!outer) break;
    found = found[outer].message;
  }
  const [name, part] = Object.entries(found).find(([each]) => !BESIDE.has(each)) ?? ["", {}];
  if (typeof part === "string") return [name, { text: part }];
  return [name, part !== null && typeof part === "object" ? part : {}];
}

/** Its words, or null. */
export function wordsOf(message) {
  const [, part] = partOf(message);
  return WORDS.map((name) => part[name]).find((each) => typeof each === "string" && each !== "") ?? null;
}

/** The message that it answers: {id, from, text, part}; null: none. */
export function quotedBy(message) {
  const [, part] = partOf(message);
  const about = part.contextInfo;
  if (!about?.stanzaId) return null;
  const quoted = about.quotedMessage ?? {};
  return { id: about.stanzaId, from: about.participant ?? null, text: wordsOf(quoted), part: partOf(quoted)[0] };
}

/** The names and numbers on address cards. */
export function cardsOf(part) {
  const cards = Array.isArray(part.contacts) ? part.contacts : [part];
  return cards.map(({ displayName, vcard }) => ({ name: displayName || null, phones: numbersIn(vcard) }));
}

function numbersIn(vcard) {
  const lines = typeof vcard === "string" ? vcard.split(/\r?\n/) : [];
  return lines
    .filter((line) => /^([\w-]+\.)?TEL[;:]/i.test(line))
    .map((line) => line.slice(line.indexOf(":", line.lastIndexOf("waid=") + 1) + 1).trim())
    .filter(Boolean);
}

/** What can be pressed or chosen in a message with buttons or a list. */
export function choicesOf(part) {
  const lists = [
    ...(part.buttons ?? []).map((each) => each.buttonText?.displayText),
    ...(part.sections ?? []).flatMap((each) => (each.rows ?? []).map((row) => row.title)),
    ...(part.nativeFlowMessage?.buttons ?? []).map((each) => labelIn(each.buttonParamsJson)),
  ];
  return lists.filter((each) => typeof each === "string" && each !== "");
}

function labelIn(json) {
  try {
    return JSON.parse(json).display_text;
  } catch {
    return null;
  }
}

/** A file's name that is safe to save under, and to show: no paths, no control or direction characters. */
export function safeName(name, otherwise) {
  const plain = String(name ?? "")
    .replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, "")
    .replace(/[/\\:*?"<>|]/g, "_")
    .replace(/^\.+/, "")
    .trim()
    .slice(0, 120);
  return plain || otherwise;
}
