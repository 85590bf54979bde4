/** A line of two texts next to each other; on the side where it is not there, null. */
export interface Pair {
  before: string | null;
  after: string | null;
  isChanged: boolean;
}

const MOST_LINES = 1_000;

/** The lines of two texts side by side: equal ones at the same height, what was taken out next to what came in its place.
 *  Beyond 1,000 lines a side only what both begin and end with is found to be equal. */
export function sideBySide(before: string, after: string): Pair[] {
  const a = before.split("\n");
  const b = after.split("\n");
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const same = (line: string): Pair => ({ before: line, after: line, isChanged: false });
  return [...a.slice(0, head).map(same), ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)), ...a.slice(a.length - tail).map(same)];
}

function middle(a: string[], b: string[]): Pair[] {
  if (a.length > MOST_LINES || b.length > MOST_LINES) return replaced(a, b);
  const longest = commonLengths(a, b);
  const pairs: Pair[] = [];
  let taken: string[] = [];
  let put: string[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      pairs.push(...replaced(taken, put), { before: a[i]!, after: b[j]!, isChanged: false });
      [taken, put] = [[], []];
      i++;
      j++;
    } else if (j === b.length || (i < a.length && longest[i + 1]![j]! >= longest[i]![j + 1]!)) taken.push(a[i++]!);
    else put.push(b[j++]!);
  }
  return [...pairs, ...replaced(taken, put)];
}

function replaced(taken: string[], put: string[]): Pair[] {
  return Array.from({ length: Math.max(taken.length, put.length) }, (_, at) => ({ before: taken[at] ?? null, after: put[at] ?? null, isChanged: true }));
}

/** How long the longest common sequence of the lines from i and from j on is. */
function commonLengths(a: string[], b: string[]): Uint16Array[] {
  const rows = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      rows[i]![j] = a[i] === b[j] ? rows[i + 1]![j + 1]! + 1 : Math.max(rows[i + 1]![j]!, rows[i]![j + 1]!);
    }
  }
  return rows;
}
