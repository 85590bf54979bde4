"use client";

import { useMemo } from "react";
import { useMe } from "@/features/session/session";
import { includes, type Role } from "@/lib/roles";
import { type Page, PAGES } from "./pages";

/** The pages that this person may see. */
export function usePages(): Page[] {
  const { role } = useMe();
  return useMemo(() => pagesFor(role), [role]);
}

/** By role alone: the page of a service that is away is where one looks first. */
export function pagesFor(role: Role): Page[] {
  return PAGES.filter((page) => !page.role || includes(role, page.role));
}
