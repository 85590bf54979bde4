"use client";

import Link from "next/link";
import { Badge, State } from "@/components/ui/badge";
import { Panel } from "@/components/ui/panel";
import { type Column, Table } from "@/components/ui/table";
import { instanceAt } from "@/features/instances/fleet-table";
import { leaseAt } from "@/features/leases/lease-table";
import type { Lease } from "@/lib/api/client";
import { whole } from "@/lib/format";
import { useRows } from "@/lib/live/hooks";
import { useWords } from "@/lib/words";
import type { useFeeds } from "@/features/overview/feeds-panel";
import { useFeedState, useWhy } from "./reasons";
import { MARKET } from "./words";

type Feed = ReturnType<typeof useFeeds>[number];
const SERVICE = "marketdata";
const READY = "ready";

/** The instances of each feed set: who holds its key and publishes, who stands by, and what each of them has lost. */
export function Feeds({ feeds }: { feeds: Feed[] }) {
  const say = useWords(MARKET);
  const inState = useFeedState();
  const inWhy = useWhy();
  const { rows: leases } = useRows<Lease>("leases");
  const holds = (row: Feed) => leases.find((one) => one.service === SERVICE && one.key === row.feed && one.holder === row.instance);
  const columns: Column<Feed>[] = [
    {
      key: "instance",
      title: say("instance"),
      width: "112px",
      cell: (row) => (
        <Link href={instanceAt({ service: SERVICE, instance: row.instance })} title={row.instance} className="font-medium hover:text-accent">
          {row.instance}
        </Link>
      ),
      sort: (row) => row.instance,
    },
    { key: "role", title: say("role"), width: "82px", cell: (row) => <Badge tone={row.role === "active" ? "accent" : "quiet"}>{say(row.role === "active" ? "primary" : "standby")}</Badge> },
    {
      key: "key",
      title: say("key"),
      from: "sm",
      width: "108px",
      cell: (row) => {
        const lease = holds(row);
        if (!lease) return <span className="text-faint">–</span>;
        return (
          <Link href={leaseAt(lease)} title={`${lease.key} · ${lease.epoch}`} className="figure hover:text-accent">
            {lease.key} · {lease.epoch}
          </Link>
        );
      },
    },
    {
      key: "state",
      title: say("session"),
      cell: (row) => (
        <span title={inState(row.state)}>
          <State health={row.state === READY ? "well" : "warn"}>{inState(row.state)}</State>
        </span>
      ),
    },
    { key: "source", title: say("source"), from: "lg", width: "124px", cell: (row) => <span title={row.source} className="figure text-soft">{row.source}</span> },
    { key: "ticking", title: say("ticking"), right: true, width: "92px", from: "sm", cell: (row) => `${whole(row.ticking)}/${whole(row.subscribed)}` },
    { key: "rate", title: say("rate"), right: true, width: "84px", cell: (row) => (row.rate === null ? "–" : whole(row.rate)) },
    { key: "held", title: say("heldTicks"), right: true, width: "72px", from: "lg", cell: (row) => whole(row.held) },
    { key: "conflated", title: say("conflated"), right: true, width: "84px", from: "md", cell: (row) => <span className={row.conflated ? "text-warn" : "text-faint"}>{whole(row.conflated)}</span> },
    { key: "lost", title: say("lost"), right: true, width: "60px", from: "sm", cell: (row) => <span className={row.lost ? "text-bad" : "text-faint"}>{whole(row.lost)}</span> },
  ];
  return (
    <Panel title={say("feeds")} note={say("feedsNote")}>
      <Table name="feeds" label={say("feeds")} columns={columns} rows={feeds} rowKey={(row) => row.instance} empty={say("noFeeds")} height="260px" />
      {feeds
        .filter((one) => one.why.length)
        .map((one) => (
          <p key={one.instance} className="border-t px-3 py-1.5 text-xs wrap-anywhere text-soft">
            <span className="font-medium text-text">{one.instance}</span> {inWhy(one.why)}
          </p>
        ))}
    </Panel>
  );
}
