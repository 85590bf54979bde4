"use client";

import { QueryClientProvider, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useCallback, useState } from "react";
import { Toasts } from "@/components/ui/toast";
import { Session } from "@/features/session/session";
import { createCache } from "@/lib/api/cache";
import { Live } from "@/lib/live/hooks";
import { Changes } from "./changes";
import { Frame } from "./frame";

/** Around every page: who is signed in, the live connection, and the frame. */
export function Shell({ children }: { children: ReactNode }) {
  const [cache] = useState(createCache);
  return (
    <QueryClientProvider client={cache}>
      <Session>
        <SignedIn>{children}</SignedIn>
      </Session>
      <Toasts />
    </QueryClientProvider>
  );
}

function SignedIn({ children }: { children: ReactNode }) {
  const cache = useQueryClient();
  const lookAgain = useCallback(() => void cache.invalidateQueries({ queryKey: ["me"] }), [cache]);
  return (
    <Live onRefused={lookAgain}>
      <Changes>
        <Frame>{children}</Frame>
      </Changes>
    </Live>
  );
}
