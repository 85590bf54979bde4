"use client";

import Link from "next/link";
import { PageHead } from "@/components/ui/panel";
import { Empty } from "@/components/ui/states";
import { useWords } from "@/lib/words";
import { SHELL } from "./words";

export function NotFound() {
  const say = useWords(SHELL);
  const home = (
    <Link href="/" className="text-accent underline">
      {say("home")}
    </Link>
  );
  return (
    <>
      <PageHead title={say("notFound")} />
      <Empty action={home}>{say("notFoundHint")}</Empty>
    </>
  );
}
