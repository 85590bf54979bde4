"use client";

import { useSearchParams } from "next/navigation";
import { useCallback } from "react";

/** A part of the state that stands in the address: `const [sort, setSort] = useUrlState("sort", "name")`. With "push" the browser goes back to what it was before. */
export function useUrlState(name: string, usual = "", how: "replace" | "push" = "replace"): [string, (value: string) => void] {
  const value = useSearchParams().get(name) ?? usual;
  const set = useCallback(
    (next: string) => {
      const at = new URL(window.location.href);
      if (next === usual) at.searchParams.delete(name);
      else at.searchParams.set(name, next);
      window.history[`${how}State`](null, "", at);
    },
    [name, usual, how],
  );
  return [value, set];
}

/** A page's address with its parameters: to("/lease", { service: "trading", key: "paper" }). */
export function to(path: string, parameters: Record<string, string> = {}): string {
  const query = new URLSearchParams(parameters).toString();
  return query ? `${path}?${query}` : path;
}
