"use client";

import type { ReactNode } from "react";
import { useTitle } from "@/lib/title";

/** The page of who is not in yet. */
export function Gate({ title, note, children }: { title: string; note?: string; children: ReactNode }) {
  useTitle("heading", title === "Aegis" ? "" : title);
  return (
    <main className="grid min-h-dvh grid-cols-[minmax(0,352px)] content-center justify-center gap-6 p-4">
      <div className="flex items-center gap-3">
        {/* eslint-disable-next-line @next/next/no-img-element -- a file of ours, of 400 bytes */}
        <img src="/icon.svg" alt="" width={36} height={36} />
        <div>
          <h1 className="text-[17px] leading-6 font-semibold">{title}</h1>
          {note && <p className="text-xs text-faint">{note}</p>}
        </div>
      </div>
      <div className="rounded-md border bg-panel p-5">{children}</div>
    </main>
  );
}
