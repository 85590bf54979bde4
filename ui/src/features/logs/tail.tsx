"use client";

import Link from "next/link";
import { useEffect, useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { cx } from "@/components/ui/cx";
import { useTimes } from "@/lib/time";
import { to } from "@/lib/url";
import { useWords } from "@/lib/words";
import type { Level, Shown } from "./line";
import { LOGS } from "./words";

const TONES: Record<Level, string> = { debug: "text-faint", info: "text-soft", warning: "text-warn", error: "text-bad" };
const NEAR_PX = 24;

/** Lines with the latest at the bottom, where it stays as long as one has not scrolled up. */
export function Tail({ lines, label, height = "h-[max(320px,calc(100dvh-230px))]" }: { lines: Shown[]; label: string; height?: string }) {
  const say = useWords(LOGS);
  const sayLevel = (level: Level) => say(`level.${level}`);
  const { precise } = useTimes();
  const box = useRef<HTMLOListElement>(null);
  const [isAtEnd, setAtEnd] = useState(true);
  const toEnd = () => box.current?.scrollTo({ top: box.current.scrollHeight });
  useEffect(() => {
    if (isAtEnd) toEnd();
  }, [lines, isAtEnd]);
  const look = () => {
    const { scrollHeight, scrollTop, clientHeight } = box.current!;
    setAtEnd(scrollHeight - scrollTop - clientHeight < NEAR_PX);
  };
  return (
    <div className="relative">
      <ol ref={box} onScroll={look} tabIndex={0} aria-label={label} className={cx("figure overflow-y-auto py-1 text-2xs focus-visible:-outline-offset-2", height)}>
        {lines.map((line) => (
          <li key={line.number} className="grid grid-cols-[auto_auto_minmax(0,1fr)] gap-x-3 px-3 py-px hover:bg-raised max-sm:grid-cols-[auto_minmax(0,1fr)]">
            <time className="text-faint">{line.at && precise(line.at)}</time>
            <span className={cx("w-10 font-sans", TONES[line.level])}>{sayLevel(line.level)}</span>
            <span className="wrap-anywhere whitespace-pre-wrap max-sm:col-span-2">
              {line.from && (
                <Link href={to("/logs", line.from)} className="mr-2 text-accent underline decoration-1 underline-offset-2">
                  {line.from.instance}
                </Link>
              )}
              <span className={cx("mr-2 font-medium", line.level === "error" || line.level === "warning" ? TONES[line.level] : "text-text")}>{line.event}</span>
              {line.fields.map(([name, value]) => (
                <span key={name} className="mr-2 text-soft">
                  <span className="text-faint">{name}=</span>
                  {value}
                </span>
              ))}
            </span>
          </li>
        ))}
      </ol>
      {!isAtEnd && (
        <Button icon="down" className="absolute right-4 bottom-3 shadow-lg" onClick={toEnd}>
          {say("latest")}
        </Button>
      )}
    </div>
  );
}
