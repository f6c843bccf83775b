/** Figures and times as the language writes them. */

import { language } from "./words.js";

const STEPS = [
  ["second", 60],
  ["minute", 60],
  ["hour", 24],
  ["day", 30],
  ["month", 12],
  ["year", Infinity],
];

/** A moment: today's time, or date and time. */
export function time(iso) {
  if (!iso) return "–";
  const at = new Date(iso);
  const today = at.toDateString() === new Date().toDateString();
  const shape = today ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" };
  return made(Intl.DateTimeFormat, { ...shape, hourCycle: "h23" }).format(at);
}

/** How long ago, or until when, in one unit: "3 minutes ago". */
export function ago(iso, now = Date.now()) {
  if (!iso) return "–";
  let rest = Math.round((new Date(iso) - now) / 1000);
  for (const [unit, size] of STEPS) {
    if (Math.abs(rest) < size) return made(Intl.RelativeTimeFormat, { numeric: "auto" }).format(rest, unit);
    rest = Math.round(rest / size);
  }
}

/** 12.3 MB. */
export function bytes(count) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  const step = count < 1000 ? 0 : Math.min(Math.floor(Math.log10(count) / 3), units.length - 1);
  const shape = { style: "unit", unit: units[step], unitDisplay: "short", maximumFractionDigits: step ? 1 : 0 };
  return written(count / 1000 ** step, shape);
}

/** 0.125: 13 %. */
export const share = (part) => written(part, { style: "percent" });

export const count = (number) => written(number, {});

const SPANS = [
  ["millisecond", 1, 1000],
  ["second", 1000, 60000],
  ["minute", 60000, 3600000],
  ["hour", 3600000, 2 * 86400000],
  ["day", 86400000, Infinity],
];

/** 350 ms, 2.4 s, 3 min, 1.5 h, 12 days. */
export function duration(ms) {
  const [unit, size] = SPANS.find(([, , end]) => ms < end);
  const value = ms / size;
  return written(value, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: value < 10 && ms >= 1000 ? 1 : 0 });
}

const formats = new Map(); // making one takes a hundred times as long as using it

/** A format of the language: `kind` is one of Intl's. */
function made(kind, shape) {
  const key = `${language()} ${kind.name} ${Object.values(shape)}`;
  if (!formats.has(key)) formats.set(key, new kind(language(), shape));
  return formats.get(key);
}

const written = (number, shape) => made(Intl.NumberFormat, shape).format(number);
