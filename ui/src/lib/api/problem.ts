import type { components } from "./schema";

type Body = Required<Omit<components["schemas"]["ProblemBody"], "type">>;

/** An error of the API (RFC 9457). `code` and `reason` are stable words; `unreachable` is ours, for no answer at all. */
export class Problem extends Error {
  readonly code: string;
  readonly status: number;
  readonly detail: string;
  readonly reason: string;
  readonly errors: Body["errors"];
  readonly details: Body["details"];

  constructor(body: Body) {
    super(body.detail || body.title || body.code);
    this.code = body.code;
    this.status = body.status;
    this.detail = body.detail;
    this.reason = body.reason;
    this.errors = body.errors;
    this.details = body.details;
  }
}

/** The problem that an answer's body tells; of what is none, as a balancer says it, the status only. */
export function problemOf(status: number, body: unknown): Problem {
  const said = typeof body === "object" && body !== null && "code" in body ? (body as Partial<Body>) : {};
  const { code = "internal", title = "", detail = "", reason = "", errors = [], details = {} } = said;
  return new Problem({ code, status, title, detail, reason, errors, details });
}
