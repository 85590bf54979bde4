"use client";

import { useEffect } from "react";

/** What the tab is called: the heading of what is shown, or else its page; which environment it is; and the program. */
const parts = { page: "", heading: "", environment: "" };

function tell(): void {
  document.title = [parts.heading || parts.page, parts.environment, "Aegis"].filter(Boolean).join(" · ");
}

/** Say a part of the tab's title as long as the component is there: so tabs, and who hears a page change, know what it is. */
export function useTitle(part: keyof typeof parts, text: string): void {
  useEffect(() => {
    parts[part] = text;
    tell();
    return () => {
      parts[part] = "";
      tell();
    };
  }, [part, text]);
}
