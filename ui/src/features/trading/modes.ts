import type { Health } from "@/components/ui/badge";
import type { Account } from "./model";

export type Mode = Account["mode"];

export const MODES: readonly Mode[] = ["normal", "close_only", "cancel_only", "halted"];

export const MODE_HEALTH: Record<Mode, Health> = { normal: "well", close_only: "warn", cancel_only: "warn", halted: "bad" };
