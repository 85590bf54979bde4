const BROWSERS = [
  ["Edg", "Edge"],
  ["OPR", "Opera"],
  ["Firefox", "Firefox"],
  ["HeadlessChrome", "Chrome"],
  ["Chrome", "Chrome"],
  ["Safari", "Safari"],
] as const;
const SYSTEMS = [
  ["Android", "Android"],
  ["iPhone", "iPhone"],
  ["Windows", "Windows"],
  ["Mac OS", "macOS"],
  ["Linux", "Linux"],
] as const;
const LONGEST = 60;

/** What a User-Agent stands for, as people call it: Chrome 141, Linux. What we do not know is shown as it is. */
export function browserOf(agent: string): string {
  const known = BROWSERS.find(([mark]) => agent.includes(`${mark}/`));
  if (!known) return agent.slice(0, LONGEST) || "–";
  const version = new RegExp(`${known[0]}/(\\d+)`).exec(agent)?.[1];
  const system = SYSTEMS.find(([mark]) => agent.includes(mark))?.[1];
  return [version ? `${known[1]} ${version}` : known[1], system].filter(Boolean).join(", ");
}
