"use client";

import { FailedPage } from "@/features/shell/failed-page";

export default function Page({ error, reset }: { error: Error; reset: () => void }) {
  return <FailedPage error={error} onAgain={reset} />;
}
