import type { NextConfig } from "next";
import { PHASE_DEVELOPMENT_SERVER } from "next/constants";

const DESK = process.env.AEGIS_ADDRESS ?? "http://127.0.0.1:8420";

/** Static files for the management service; while developing, a running desk answers below /api. */
export default function config(phase: string): NextConfig {
  if (phase === PHASE_DEVELOPMENT_SERVER) {
    return { rewrites: async () => [{ source: "/api/:path*", destination: `${DESK}/api/:path*` }] };
  }
  return { output: "export", reactStrictMode: true, typescript: { ignoreBuildErrors: true } }; // "npm run check" looks at types
}
