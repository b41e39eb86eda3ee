// Formats numbers with units.

const digits = (maximumSignificantDigits) => new Intl.NumberFormat("en", { maximumSignificantDigits });
const [two, three] = [digits(2), digits(3)];
const UNITS = ["B/s", "kB/s", "MB/s", "GB/s"];

/** Bytes per second. */
export function bytes(rate) {
  let unit = 0;
  while (rate >= 1000 && unit < UNITS.length - 1) {
    rate /= 1000;
    unit += 1;
  }
  return `${three.format(rate)} ${UNITS[unit]}`;
}

/** Events per second. */
export function perSecond(rate, what = "") {
  return `${two.format(rate)} ${what}/s`.replace(" /", "/");
}

/** A part of 1. */
export function percent(part) {
  return part === null ? "–" : `${three.format(100 * part)} %`;
}

/** A number of things. */
export function plural(number, thing) {
  return `${number} ${thing}${number === 1 ? "" : "s"}`;
}

/** The time since the first sample of a link. */
export function age({ since, is_older }, now) {
  if (since === null) return "–";
  const seconds = Math.max(0, now - since);
  const [unit, size] = [["h", 3600], ["min", 60]].find(([, size]) => seconds >= size) ?? ["s", 1];
  return `${is_older ? "> " : ""}${Math.floor(seconds / size)} ${unit}`;
}
