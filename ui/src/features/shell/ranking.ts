/** How well `name` answers what was typed, the less the better; null where it does not. Letters in their order count. */
export function rank(name: string, typed: string): number | null {
  const where = name.toLowerCase();
  const wanted = typed.toLowerCase().replaceAll(" ", "");
  const whole = where.replaceAll(" ", "").indexOf(wanted);
  if (whole >= 0) return whole;
  let at = -1;
  let gaps = 100;
  for (const letter of wanted) {
    const next = where.indexOf(letter, at + 1);
    if (next < 0) return null;
    gaps += next - at - 1;
    at = next;
  }
  return gaps;
}

/** Those that answer, the best first; of equals in the order in which they were. */
export function ranked<T>(all: readonly T[], name: (one: T) => string, typed: string): T[] {
  return all
    .map((one) => ({ one, rank: rank(name(one), typed) }))
    .filter((found): found is { one: T; rank: number } => found.rank !== null)
    .sort((a, b) => a.rank - b.rank)
    .map((found) => found.one);
}
