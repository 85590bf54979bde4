import createClient from "openapi-fetch";
import { Attention } from "./attended";
import type { components, paths } from "./schema";
import { Problem, problemOf } from "./problem";

/** The management API, typed by its own document. The cookie goes with every request of our origin. */
export const api = createClient<paths>({ headers: { Accept: "application/json" } });

const attention = new Attention(typeof window === "undefined" ? undefined : window);

/** A page asks by itself all the time: the session goes on by what somebody has done, which the next question tells. */
api.use({
  onRequest: ({ request }) => {
    if (!attention.take()) request.headers.set("Aegis-Unattended", "1");
    return request;
  },
});

export type Schemas = components["schemas"];
export type Instance = Omit<Schemas["aegis__management__views__InstanceView"], "heartbeat_age_s">;
export type Lease = Schemas["LeaseView"];

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** What was answered; throws a Problem for an error, and for no answer at all. */
export async function answered<T>(asked: Promise<Answer<T>>): Promise<T> {
  return (await withHeaders(asked)).data;
}

/** The same with the answer's headers, for its ETag. */
export async function withHeaders<T>(asked: Promise<Answer<T>>): Promise<{ data: T; headers: Headers }> {
  let answer: Answer<T>;
  try {
    answer = await asked;
  } catch {
    throw new Problem({ code: "unreachable", status: 0, title: "", detail: "", reason: "", errors: [], details: {} });
  }
  if (!answer.response.ok) throw problemOf(answer.response.status, answer.error);
  return { data: answer.data as T, headers: answer.response.headers };
}
