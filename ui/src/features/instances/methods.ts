import type { Schemas } from "@/lib/api/client";

export type Sample = Schemas["Sample"];

/** A method over all instances of its service; quantiles are those of the slowest of them. */
export interface MethodRow {
  name: string;
  isOfActive: boolean;
  calls: number;
  errors: number;
  p50: number | null;
  p99: number | null;
}

/** The methods that are defined, and those that were called in the last seconds, with what became of them. */
export function methodsOf(defined: readonly string[], samples: readonly Pick<Sample, "methods">[]): MethodRow[] {
  const rows = new Map<string, MethodRow>(defined.map((name) => [name, { name, isOfActive: false, calls: 0, errors: 0, p50: null, p99: null }]));
  const higher = (one: number | null, other: number | null) => (one === null ? other : Math.max(one, other ?? one));
  for (const { to, method: name, calls_per_s, errors_per_s, p50_ms, p99_ms } of samples.flatMap((one) => one.methods)) {
    const row = rows.get(name);
    rows.set(name, {
      name,
      isOfActive: to === "active",
      calls: (row?.calls ?? 0) + calls_per_s,
      errors: (row?.errors ?? 0) + errors_per_s,
      p50: higher(p50_ms, row?.p50 ?? null),
      p99: higher(p99_ms, row?.p99 ?? null),
    });
  }
  return [...rows.values()];
}
