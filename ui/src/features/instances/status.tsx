"use client";

import { State } from "@/components/ui/badge";
import { useWords } from "@/lib/words";
import { INSTANCE_HEALTH, type Shown } from "./fleet";
import { STATUS } from "./words";

export function InstanceStatus({ of }: { of: Shown }) {
  const say = useWords(STATUS);
  return <State health={INSTANCE_HEALTH[of]}>{say(of)}</State>;
}
