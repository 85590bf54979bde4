"use client";

import { useMemo } from "react";
import type { Health } from "@/components/ui/badge";
import { useChanges } from "@/features/shell/changes";
import type { Instance, Schemas } from "@/lib/api/client";
import { useTopic } from "@/lib/live/hooks";

export type Shown = Schemas["InstanceStatus"] | "LOST" | "MAINTENANCE";

/** An instance as the console shows it: alive, or lost while this tab looked. */
export interface FleetRow extends Instance {
  id: string;
  shown: Shown;
  /** When it was lost, in milliseconds. */
  lostAt?: number;
}

export const INSTANCE_HEALTH: Record<Shown, Health> = {
  LOST: "bad",
  UNHEALTHY: "bad",
  DRAINING: "warn",
  MAINTENANCE: "warn",
  GONE: "warn",
  STARTING: "moving",
  ACTIVE: "well",
  STANDBY: "idle",
};

const URGENCY: Record<Health, number> = { bad: 0, warn: 1, moving: 2, well: 3, idle: 3 };

export function needsALook(row: FleetRow): boolean {
  return URGENCY[INSTANCE_HEALTH[row.shown]] < 2;
}

/** All instances, those that need a look first. */
export function useFleet(): { fleet: FleetRow[]; isWhole: boolean } {
  const topic = useTopic<Instance>("instances");
  const { lost } = useChanges();
  const fleet = useMemo(() => fleetOf(topic.rows, lost), [topic, lost]);
  return { fleet, isWhole: topic.isWhole };
}

export function fleetOf(living: ReadonlyMap<string, Instance>, lost: { instance: Instance; at: number }[]): FleetRow[] {
  const rows: FleetRow[] = [];
  for (const [id, one] of living) rows.push({ ...one, id, shown: one.maintenance ? "MAINTENANCE" : one.status });
  for (const { instance, at } of lost) {
    const id = `${instance.service}.${instance.instance}`;
    if (!living.has(id)) rows.push({ ...instance, id, shown: "LOST", lostAt: at });
  }
  const urgency = (row: FleetRow) => URGENCY[INSTANCE_HEALTH[row.shown]];
  return rows.sort((a, b) => urgency(a) - urgency(b) || (a.id < b.id ? -1 : 1));
}
