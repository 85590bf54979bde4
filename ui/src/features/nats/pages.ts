import type { Page, ServerPage } from "./asked";

/** The server's own pages are as NATS writes them: what is missing, or of another kind, is undefined. */
export function number(of: unknown, ...path: string[]): number | undefined {
  const found = at(of, path);
  return typeof found === "number" ? found : undefined;
}

export function text(of: unknown, ...path: string[]): string {
  const found = at(of, path);
  return typeof found === "string" ? found : "";
}

function at(of: unknown, path: string[]): unknown {
  return path.reduce<unknown>((one, name) => (typeof one === "object" && one !== null ? (one as Page)[name] : undefined), of);
}

/** A client that is connected. */
export interface Connection {
  id: string;
  /** To which it is connected. */
  server: string;
  name: string;
  user: string;
  client: string;
  address: string;
  roundTripMs: number | undefined;
  since: string;
  inMessages: number;
  outMessages: number;
  pendingBytes: number;
  subscriptions: number;
}

/** Those of all servers that answer; `all`: how many there are, of which each server lists the first. */
export function connectionsOf(servers: ServerPage[]): { connections: Connection[]; all: number } {
  const connections = servers.flatMap(({ address, page }) => (Array.isArray(page.connections) ? page.connections : []).map((one) => connectionOf(one, hostOf(address))));
  return { connections, all: servers.reduce((sum, { page }) => sum + (number(page, "total") ?? 0), 0) };
}

/** Without the scheme. */
export function hostOf(address: string): string {
  return address.replace(/^https?:\/\//, "");
}

function connectionOf(one: unknown, server: string): Connection {
  return {
    id: `${server} ${number(one, "cid") ?? ""}`,
    server,
    name: text(one, "name"),
    user: text(one, "authorized_user"),
    client: [text(one, "lang"), text(one, "version")].filter(Boolean).join(" "),
    address: `${text(one, "ip")}:${number(one, "port") ?? ""}`,
    roundTripMs: roundTrip(text(one, "rtt")),
    since: text(one, "start"),
    inMessages: number(one, "in_msgs") ?? 0,
    outMessages: number(one, "out_msgs") ?? 0,
    pendingBytes: number(one, "pending_bytes") ?? 0,
    subscriptions: number(one, "subscriptions") ?? 0,
  };
}

const MS = { ns: 1e-6, µs: 1e-3, us: 1e-3, ms: 1, s: 1_000, m: 60_000 } as const;

/** The length that Go writes, as 1.2ms or 1m3.5s, in milliseconds. */
export function roundTrip(said: string): number | undefined {
  const parts = [...said.matchAll(/([\d.]+)(ns|µs|us|ms|s|m)/g)];
  if (!parts.length) return undefined;
  return parts.reduce((sum, [, value, unit]) => sum + Number(value) * MS[unit as keyof typeof MS], 0);
}
