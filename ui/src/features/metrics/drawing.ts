import { decimal, milliseconds, whole } from "@/lib/format";

/** What a chart draws: lines over the same times, which are in seconds; where a value is null, the line has a hole. */
export interface Drawing {
  title: string;
  times: number[];
  lines: { name: string; label: string; values: (number | null)[] }[];
  format: (value: number) => string;
}

const MIB = 1_048_576;

/** What is drawn of a figure of a sample: bytes as MiB, so that the axis has round ones. */
export function drawn(metric: string, values: readonly (number | null)[]): (number | null)[] {
  return metric.endsWith("_bytes") ? values.map((value) => value && value / MIB) : [...values];
}

/** How that is written, by the ends of the names. */
export function formatOf(metric: string): (value: number) => string {
  if (metric === "cpu") return (value) => `${decimal(value * 100, value < 0.1 ? 1 : 0)}%`;
  if (metric.endsWith("_bytes")) return (value) => `${decimal(value, value < 10 ? 1 : 0)} MiB`;
  if (metric.endsWith("_ms")) return milliseconds;
  if (/_seconds(_p\d+)?({.*})?$/.test(metric)) return (value) => milliseconds(value * 1_000);
  return (value) => (Number.isInteger(value) ? whole(value) : value < 10 ? decimal(value, 2) : decimal(value, 1));
}

/** Lines of several instances over common times: those of the widest step. Where one has no sample, its line has a hole. */
export function overlaid(all: { name: string; times: number[]; values: (number | null)[]; step_s: number }[]): Pick<Drawing, "times" | "lines"> {
  const step = Math.max(1, ...all.map((one) => one.step_s));
  const slots = new Map<number, (number | null)[]>();
  all.forEach((one, index) =>
    one.times.forEach((at, place) => {
      const slot = Math.floor(at / step) * step;
      const values = slots.get(slot) ?? all.map(() => null);
      values[index] = one.values[place] ?? null;
      slots.set(slot, values);
    }),
  );
  const times = [...slots.keys()].sort((a, b) => a - b);
  return { times, lines: all.map(({ name }, index) => ({ name, label: name, values: times.map((at) => slots.get(at)![index]!) })) };
}
