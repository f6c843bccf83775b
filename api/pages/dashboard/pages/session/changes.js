/** What a PATCH has to say: the settings that are other than those stored. */

/** Of `wanted` what differs from `stored`. A setting that is left out, null, false or empty is the default, all the same. */
export function changesOf(stored, wanted) {
  return Object.fromEntries(Object.entries(wanted).filter(([name, value]) => plain(stored[name]) !== plain(value)));
}

/** A value as text, in which the order of an object's fields makes no difference. */
function plain(value) {
  if (value === null || value === undefined || value === false) return "";
  if (Array.isArray(value)) return `[${value.map(plain).join()}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const fields = Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${plain(value[name])}`);
  return `{${fields.join()}}`;
}
