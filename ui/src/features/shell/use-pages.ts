"use client";

import { useMemo } from "react";
import { useMe } from "@/features/session/session";
import type { Instance, Lease } from "@/lib/api/client";
import { useRows } from "@/lib/live/hooks";
import { includes, type Role } from "@/lib/roles";
import { type Page, PAGES } from "./pages";

/** The pages that this person may see and this desk has. */
export function usePages(): Page[] {
  const { role } = useMe();
  const { rows: instances } = useRows<Instance>("instances");
  const { rows: leases } = useRows<Lease>("leases");
  return useMemo(() => pagesFor(role, instances, leases), [role, instances, leases]);
}

/** A service that has had a key is one of the desk's, and its page most needed, while none of its instances lives. */
export function pagesFor(role: Role, instances: readonly Pick<Instance, "service">[], leases: readonly Pick<Lease, "service">[]): Page[] {
  const services = new Set([...instances, ...leases].map((one) => one.service));
  return PAGES.filter((page) => (!page.role || includes(role, page.role)) && (!page.service || services.has(page.service)));
}
