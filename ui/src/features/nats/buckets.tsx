"use client";

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Button } from "@/components/ui/button";
import { cx } from "@/components/ui/cx";
import { Filter } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { Answer, Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { RowName } from "@/components/ui/row-name";
import { answered, api, type Schemas } from "@/lib/api/client";
import { bytes } from "@/lib/bytes";
import { useTimes } from "@/lib/time";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { KeyDetail } from "./key-detail";
import { NATS } from "./words";

type Key = Schemas["KeyView"];

const PAGE = 100;

/** The buckets, the keys of one, and of a key what it is and was. */
export function Buckets() {
  const say = useWords(NATS);
  const buckets = useQuery({ queryKey: ["nats", "buckets"], queryFn: () => answered(api.GET("/api/nats/buckets")) });
  const [asked] = useUrlState("bucket");
  const [key] = useUrlState("key");
  return (
    <Answer of={buckets}>
      {(names) => {
        const bucket = asked || names[0];
        if (!bucket) return <Empty>{say("noBuckets")}</Empty>;
        return (
          <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3 lg:grid-cols-[200px_minmax(0,1fr)]">
            <BucketList names={names} selected={bucket} />
            <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3 2xl:grid-cols-2">
              <Keys key={bucket} bucket={bucket} />
              {key ? (
                <KeyDetail key={`${bucket}/${key}`} bucket={bucket} name={key} />
              ) : (
                <Panel title={say("value")} className="max-2xl:hidden">
                  <Empty>{say("chooseKey")}</Empty>
                </Panel>
              )}
            </div>
          </div>
        );
      }}
    </Answer>
  );
}

function BucketList({ names, selected }: { names: string[]; selected: string }) {
  const say = useWords(NATS);
  const [, setBucket] = useUrlState("bucket");
  const [, setKey] = useUrlState("key");
  const choose = (name: string) => {
    setKey("");
    setBucket(name);
  };
  return (
    <Panel title={say("buckets")} note={names.length}>
      <ul className="flex gap-1 overflow-x-auto p-1 lg:grid lg:gap-0">
        {names.map((name) => (
          <li key={name}>
            <button
              type="button"
              aria-current={name === selected}
              onClick={() => choose(name)}
              className={cx("figure w-full rounded-sm px-2 py-1 text-left text-xs whitespace-nowrap lg:whitespace-normal", name === selected ? "bg-raised text-text" : "text-soft hover:bg-raised/60 hover:text-text")}
            >
              {name}
            </button>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Keys({ bucket }: { bucket: string }) {
  const say = useWords(NATS);
  const [selected, choose] = useUrlState("key");
  const [text, setText] = useUrlState("filter");
  const { moment } = useTimes();
  const asked = useInfiniteQuery({
    queryKey: ["nats", "keys", bucket],
    initialPageParam: "",
    queryFn: ({ pageParam }) => answered(api.GET("/api/nats/buckets/{bucket}/keys", { params: { path: { bucket }, query: { after: pageParam, limit: PAGE } } })),
    getNextPageParam: (last) => (last.length === PAGE ? last.at(-1)!.key : undefined),
    refetchInterval: 5_000,
  });
  const all = asked.data?.pages.flat();
  const columns: Column<Key>[] = [
    { key: "key", title: say("key"), cell: (row) => <RowName of={row.key} className="figure" />, sort: (row) => row.key },
    { key: "revision", title: say("revision"), right: true, width: "84px", cell: (row) => row.revision, sort: (row) => row.revision },
    { key: "size", title: say("size"), right: true, width: "80px", from: "sm", cell: (row) => bytes(row.size), sort: (row) => row.size },
    { key: "written", title: say("written"), right: true, width: "164px", from: "md", cell: (row) => moment(row.created_at), sort: (row) => row.created_at },
  ];
  return (
    <Panel
      title={bucket}
      note={all && say("keyCount", { count: asked.hasNextPage ? `${all.length}+` : all.length })}
      actions={<Filter label={say("filter")} value={text} onChange={setText} className="w-36! sm:w-52!" />}
    >
      <Answer of={{ ...asked, data: all }}>
        {(keys) => (
          <>
            <Table
              name="keys"
              label={say("keys")}
              columns={columns}
              rows={keys.filter((one) => one.key.toLowerCase().includes(text.toLowerCase()))}
              rowKey={(row) => row.key}
              selected={selected}
              onOpen={(row) => choose(row.key === selected ? "" : row.key)}
              empty={say(keys.length ? "noMatch" : "noKeys")}
              height={selected ? "max(240px, calc(50dvh - 120px))" : undefined}
            />
            {asked.hasNextPage && (
              <div className="border-t p-2 text-center">
                <Button kind="quiet" busy={asked.isFetchingNextPage} onClick={() => void asked.fetchNextPage()}>
                  {say("more")}
                </Button>
              </div>
            )}
          </>
        )}
      </Answer>
    </Panel>
  );
}
