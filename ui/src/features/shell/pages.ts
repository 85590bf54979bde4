import type { IconName } from "@/components/ui/icons";
import type { Role } from "@/lib/roles";
import type { SHELL } from "./words";

type ShellKey = keyof (typeof SHELL)["en"];

export interface Page {
  href: string;
  name: ShellKey & `page.${string}`;
  icon: IconName;
  group: ShellKey & `group.${string}`;
  /** Shown to those who have at least this role. */
  role?: Role;
  /** Other addresses at which this page is the current one. */
  covers?: string[];
}

/** All pages in the order of the navigation. Who adds a page adds its line here. */
export const PAGES: Page[] = [
  { href: "/", name: "page.overview", icon: "overview", group: "group.desk", covers: ["/service", "/instance"] },
  { href: "/leases", name: "page.leases", icon: "leases", group: "group.desk" },
  { href: "/market", name: "page.market", icon: "market", group: "group.trade" },
  { href: "/trading", name: "page.trading", icon: "trading", group: "group.trade" },
  { href: "/definitions", name: "page.definitions", icon: "definitions", group: "group.system" },
  { href: "/nats", name: "page.nats", icon: "nats", group: "group.system" },
  { href: "/audit", name: "page.audit", icon: "audit", group: "group.system", role: "operator" },
  { href: "/logs", name: "page.logs", icon: "logs", group: "group.system", role: "operator" },
  { href: "/settings", name: "page.settings", icon: "settings", group: "group.system" },
];
