"use client";

import Link from "next/link";
import { Button } from "@/components/ui/button";
import { PageHead } from "@/components/ui/panel";
import { Empty } from "@/components/ui/states";
import { useWords } from "@/lib/words";
import { SHELL } from "./words";

/** In the place of a page that threw, as by what a service of another release tells: the frame around it goes on. */
export function FailedPage({ error, onAgain }: { error: Error; onAgain: () => void }) {
  const say = useWords(SHELL);
  const ways = (
    <p className="flex items-center gap-4">
      <Button onClick={onAgain}>{say("again")}</Button>
      <Link href="/" className="text-accent underline">
        {say("home")}
      </Link>
    </p>
  );
  return (
    <div role="alert">
      <PageHead title={say("failedPage")} />
      <Empty action={ways}>
        {say("failedPageHint")}
        <span translate="no" className="figure mt-2 block wrap-anywhere">
          {error.message}
        </span>
      </Empty>
    </div>
  );
}
