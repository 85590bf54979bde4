import { words } from "@/lib/words";

export const COMPARE = words(
  { same: "Both are the same.", onlyHere: "Only here:" },
  { same: "两者相同。", onlyHere: "仅此处：" },
);
