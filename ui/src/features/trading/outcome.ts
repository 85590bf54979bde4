import type { Problem } from "@/lib/api/problem";

const NOTHING_DONE = ["unavailable", "venue_unavailable"];

/** Nobody will ever say it here: its trading day has ended, and the venue's statement has what it traded. */
export function isOver(problem: Problem): boolean {
  return problem.code === "order_expired";
}

/**
 * What an error says of an order: `refused`, nothing was done; or `unknown`, it may be at the venue.
 *
 * Once it is unknown, only the trading service's own word settles it: that we are signed out, or that it is away now,
 * says nothing of the first attempt. Nor does `duplicate_id`, which says that the name is used: by that attempt.
 */
export function outcomeOf(problem: Problem, wasUnknown: boolean): "refused" | "unknown" {
  const isNothing = ((problem.status >= 400 && problem.status < 500) || NOTHING_DONE.includes(problem.code)) && !isOver(problem);
  if (!isNothing) return "unknown";
  if (!wasUnknown) return "refused";
  const isServicesWord = problem.status === 422 && problem.code !== "invalid" && problem.details.reason !== "duplicate_id";
  return isServicesWord ? "refused" : "unknown";
}
