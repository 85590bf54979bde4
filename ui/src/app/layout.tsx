import type { Metadata, Viewport } from "next";
import { type ReactNode, Suspense } from "react";
import { Shell } from "@/features/shell/shell";
import { FIRST_PAINT } from "@/lib/preferences";
import "./globals.css";

export const metadata: Metadata = { description: "The console of an Aegis desk", icons: { icon: "/icon.svg" } };
export const viewport: Viewport = { width: "device-width", initialScale: 1, themeColor: "#090b0e" };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en" data-theme="dark" suppressHydrationWarning>
      <head>
        <title>Aegis</title>
        <script dangerouslySetInnerHTML={{ __html: FIRST_PAINT }} />
      </head>
      <body>
        <Suspense>
          <Shell>{children}</Shell>
        </Suspense>
      </body>
    </html>
  );
}
