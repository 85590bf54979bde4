import { decimal, whole } from "./format";

const UNITS = ["KiB", "MiB", "GiB", "TiB"];

/** Bytes as a person reads them: 512 B, 1.5 KiB, 64 MiB. */
export function bytes(value: number): string {
  if (value < 1_024) return `${whole(value)} B`;
  let at = 0;
  let shown = value / 1_024;
  while (shown >= 1_024 && at < UNITS.length - 1) {
    shown /= 1_024;
    at++;
  }
  return `${decimal(shown, shown < 10 ? 1 : 0)} ${UNITS[at]}`;
}
