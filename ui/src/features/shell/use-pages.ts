"use client";

import { useMemo } from "react";
import { useMe } from "@/features/session/session";
import type { Instance } from "@/lib/api/client";
import { useRows } from "@/lib/live/hooks";
import { includes } from "@/lib/roles";
import { type Page, PAGES } from "./pages";

/** The pages that this person may see and this desk has. */
export function usePages(): Page[] {
  const { role } = useMe();
  const { rows } = useRows<Instance>("instances");
  return useMemo(() => {
    const services = new Set(rows.map((one) => one.service));
    return PAGES.filter((page) => (!page.role || includes(role, page.role)) && (!page.service || services.has(page.service)));
  }, [role, rows]);
}
