"use client";

import { Badge } from "@/components/ui/badge";
import { Panel } from "@/components/ui/panel";
import { type Column, Table } from "@/components/ui/table";
import type { Schemas } from "@/lib/api/client";
import { whole } from "@/lib/format";
import { useRates } from "@/lib/rates";
import { useTopic } from "@/lib/live/hooks";
import { useWords } from "@/lib/words";
import { OVERVIEW } from "./words";

type Feed = Schemas["FeedStatus"];
interface FeedRow extends Feed {
  /** Ticks stored a second; null before a second has passed. */
  rate: number | null;
}

/** What the market data instances say of themselves, the one that publishes first. */
export function useFeeds(): FeedRow[] {
  const topic = useTopic<Feed>("feeds");
  const rates = useRates(topic, (feed) => feed.stored);
  const rows = [...topic.rows].map(([name, feed]) => ({ ...feed, rate: rates.get(name) ?? null }));
  return rows.sort((a, b) => a.feed.localeCompare(b.feed) || a.role.localeCompare(b.role) || a.instance.localeCompare(b.instance));
}

export function FeedsPanel({ feeds }: { feeds: FeedRow[] }) {
  const say = useWords(OVERVIEW);
  const columns: Column<FeedRow>[] = [
    { key: "feed", title: say("feed"), cell: (row) => <span title={row.instance} className="font-medium">{row.instance}</span>, width: "34%" },
    { key: "role", title: say("role"), width: "84px", cell: (row) => <Badge tone={row.role === "active" ? "accent" : "quiet"}>{say(row.role)}</Badge> },
    { key: "ticking", title: say("ticking"), right: true, cell: (row) => whole(row.ticking) },
    { key: "rate", title: say("rate"), right: true, cell: (row) => (row.rate === null ? "–" : whole(row.rate)) },
    { key: "lost", title: say("lost"), right: true, width: "52px", cell: (row) => <span className={row.lost ? "text-bad" : "text-faint"}>{whole(row.lost)}</span> },
  ];
  return (
    <Panel title={say("feeds")}>
      <Table name="feeds" label={say("feeds")} columns={columns} rows={feeds} rowKey={(row) => row.instance} empty={say("noFeeds")} height="280px" />
    </Panel>
  );
}
