import type { Health } from "@/components/ui/badge";
import type { Lease } from "@/lib/api/client";

export const KEY_HEALTH: Record<Lease["state"], Health> = {
  ACTIVE: "well",
  RECOVERING: "moving",
  HANDOVER: "moving",
  VACANT: "warn",
  SUSPENDED: "bad",
  LOST: "bad",
};

/** Whether somebody who lives has it: of a key that was given back, or whose holder is gone, `since` is not since when it is held. */
export function isHeld({ holder, state }: Pick<Lease, "holder" | "state">): boolean {
  return holder !== null && state !== "LOST";
}

const URGENCY: Record<Health, number> = { bad: 0, warn: 1, moving: 2, well: 3, idle: 3 };

/** Keys that nobody serves first, then by service and key. */
export function byUrgency(a: Lease, b: Lease): number {
  const urgency = URGENCY[KEY_HEALTH[a.state]] - URGENCY[KEY_HEALTH[b.state]];
  return urgency || a.service.localeCompare(b.service) || a.key.localeCompare(b.key);
}
