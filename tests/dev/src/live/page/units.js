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
