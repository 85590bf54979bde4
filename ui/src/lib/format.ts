const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** 12,345 */
export function whole(value: number): string {
  return WHOLE.format(value);
}

/** A number with so many places after the point; what is not there is a dash. */
export function decimal(value: number | null | undefined, places = 2): string {
  if (value === null || value === undefined) return "–";
  return value.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
}

/** Milliseconds as a person reads them: 0.4 ms, 21 ms, 1.2 s. */
export function milliseconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (value >= 10_000) return `${decimal(value / 1_000, 0)} s`;
  if (value >= 1_000) return `${decimal(value / 1_000, 1)} s`;
  return `${decimal(value, value < 10 ? 1 : 0)} ms`;
}
