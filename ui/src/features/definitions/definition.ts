import { answered, api, type Schemas, withHeaders } from "@/lib/api/client";

export type Service = Schemas["ServiceView"];
export type Definition = Schemas["Definition"];
export interface Named extends Definition {
  name: string;
}

const NAME = /^[A-Za-z0-9_=-]{1,128}$/;
const MOST = 500;

export function definitionOf({ version, methods, description }: Definition): Definition {
  return { version, methods, description };
}

export function isName(text: string): boolean {
  return NAME.test(text);
}

/** The methods of a field with one a line. */
export function methodsOf(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}

/** A definition as lines that can be compared. */
export function linesOf(of: Definition): string {
  return JSON.stringify(definitionOf(of), null, 2);
}

export function isSame(one: Definition, other: Definition): boolean {
  return linesOf(one) === linesOf(other);
}

/** What a file that is imported says, or why it cannot be. */
export type Parsed = { definitions: Named[] } | { reason: "reasonJson" | "reasonList" | "tooMany" } | { reason: "reasonItem"; at: number } | { reason: "reasonTwice"; name: string };

export function parsed(text: string): Parsed {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    return { reason: "reasonJson" };
  }
  if (!Array.isArray(said)) return { reason: "reasonList" };
  if (said.length > MOST) return { reason: "tooMany" };
  const definitions: Named[] = [];
  for (const [at, one] of said.entries()) {
    const found = named(one);
    if (!found) return { reason: "reasonItem", at: at + 1 };
    if (definitions.some((other) => other.name === found.name)) return { reason: "reasonTwice", name: found.name };
    definitions.push(found);
  }
  return { definitions };
}

function named(one: unknown): Named | null {
  if (typeof one !== "object" || one === null) return null;
  const { name, version = "", methods = [], description = "" } = one as Record<string, unknown>;
  if (typeof name !== "string" || !isName(name) || typeof version !== "string" || typeof description !== "string") return null;
  if (!Array.isArray(methods) || !methods.every((method) => typeof method === "string" && isName(method))) return null;
  return { name, version, methods: methods as string[], description };
}

export function exported(services: Service[]): string {
  return `${JSON.stringify(
    services.map((one) => ({ name: one.name, ...definitionOf(one) })),
    null,
    2,
  )}\n`;
}

/** A definition with the revision that a change of it has to name. */
export async function asked(name: string): Promise<{ definition: Service; revision: number }> {
  const { data, headers } = await withHeaders(api.GET("/api/services/{name}", { params: { path: { name } } }));
  return { definition: data, revision: Number((headers.get("ETag") ?? "").replace(/\D/g, "")) };
}

/** Put it in the place of that revision; 0 where there is none yet. Raises Problem `changed` where it is another one. */
export function put(name: string, definition: Definition, revision: number): Promise<Service> {
  const header = revision ? { "if-match": `"${revision}"` } : { "if-none-match": "*" };
  return answered(api.PUT("/api/services/{name}", { params: { path: { name }, header }, body: definition }));
}

export function remove(name: string, revision: number): Promise<unknown> {
  return answered(api.DELETE("/api/services/{name}", { params: { path: { name }, header: { "if-match": `"${revision}"` } } }));
}
