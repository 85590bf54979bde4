"use client";

import Link from "next/link";
import { Empty } from "@/components/ui/states";
import { useWords } from "@/lib/words";
import { SHELL } from "./words";

export function NotFound() {
  const say = useWords(SHELL);
  return (
    <Empty
      action={
        <Link href="/" className="text-accent underline">
          {say("home")}
        </Link>
      }
    >
      <span className="text-sm text-text">{say("notFound")}</span>
    </Empty>
  );
}
