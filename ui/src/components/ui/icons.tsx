import type { ReactNode } from "react";

/** Line icons on a grid of 16, drawn with the colour of the text. */
const PATHS = {
  overview: "M2 2.5h5v5H2zM9 2.5h5v3H9zM9 7.5h5v6H9zM2 9.5h5v4H2z",
  services: "M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01",
  leases: "M10.5 5.5a3 3 0 1 1-2.2 5L3 13.5v-2l1.5-1v-1.5L6 7.9a3 3 0 0 1 4.5-2.4zM10.9 8h.01",
  market: "M2 13.5h12M4 11V6M4 4V3M8 11V8M8 5V3M12 9V5M12 3V2",
  trading: "M2.5 5.5h10M10 3l2.5 2.5L10 8M13.5 10.5h-10M6 8l-2.5 2.5L6 13",
  operations: "M2.5 4h7M2.5 8h5M2.5 12h4M10 9.5l2 2 3-4",
  alerts: "M8 2a4 4 0 0 1 4 4c0 3.5 1.5 5 1.5 5h-11S4 9.500 4 6a4 4 0 0 1 4-4zM6.700 13.500a1.500 1.500 0 0 0 2.600 0",
  algo: "M3 13V9M6.500 13V5M10 13V7.500M13.500 13V3",
  nats: "M8 2l5.200 3v6L8 14l-5.200-3V5zM8 8l5.200-3M8 8v6M8 8L2.800 5",
  audit: "M4 2h6l2.500 2.500V14H4zM6.500 7h4M6.500 9.500h4M6.500 12h2.500",
  definitions: "M5.500 3L2 8l3.500 5M10.500 3L14 8l-3.500 5",
  settings: "M2 4.500h7M12 4.500h2M9 2.800v3.400M2 11.500h2M7 11.500h7M7 9.800v3.400",
  logs: "M2.500 3h2M6.500 3h7M2.500 6.300h2M6.500 6.300h5M2.500 9.700h2M6.500 9.700h7M2.500 13h2M6.500 13h4",
  menu: "M2.500 4h11M2.500 8h11M2.500 12h11",
  search: "M7 3a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM10 10l3.500 3.500",
  copy: "M5.500 5.500h8v8h-8zM10.500 5.500v-3h-8v8h3",
  close: "M3.500 3.500l9 9M12.500 3.500l-9 9",
  user: "M8 2.500a2.500 2.500 0 1 1 0 5 2.500 2.500 0 0 1 0-5zM3 13.500c0-2.500 2.200-4 5-4s5 1.500 5 4",
  sun: "M8 5.200a2.800 2.800 0 1 1 0 5.600 2.800 2.800 0 0 1 0-5.600zM8 1.500v1.300M8 13.200v1.300M1.500 8h1.300M13.200 8h1.300M3.400 3.400l.9.9M11.700 11.700l.9.9M12.600 3.400l-.9.9M4.300 11.700l-.9.9",
  moon: "M13 9.500A5.500 5.500 0 0 1 6.500 3 5.500 5.500 0 1 0 13 9.500z",
  check: "M3 8.500l3.200 3L13 4.500",
  warning: "M8 2.500l6 11H2zM8 6.500v3.500M8 12h.01",
  right: "M6 3.500L10.500 8 6 12.500",
  down: "M3.500 6L8 10.500 12.500 6",
  up: "M3.500 10L8 5.500 12.500 10",
  handover: "M2 5.500h9M8.500 3L11 5.500 8.500 8M14 10.500H5M7.500 8L5 10.500 7.500 13",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }): ReactNode {
  return (
    <svg width={size} height={size} viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.3" aria-hidden="true" className="shrink-0" strokeLinejoin="round" strokeLinecap="round">
      <path d={PATHS[name]} />
    </svg>
  );
}
