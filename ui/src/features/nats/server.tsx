"use client";

import { useMemo } from "react";
import { Fact, Facts, Figure, Figures, Panel } from "@/components/ui/panel";
import { bytes } from "@/lib/bytes";
import { decimal, whole } from "@/lib/format";
import { useRates } from "@/lib/rates";
import { duration, useNow } from "@/lib/time";
import { useWords } from "@/lib/words";
import type { Page } from "./asked";
import { number, text } from "./pages";
import { NATS } from "./words";

/** One server, by its own figures. */
export function Server({ page }: { page: Page }) {
  const say = useWords(NATS);
  const now = useNow();
  const topic = useMemo(
    () => ({
      rows: new Map([
        ["in", number(page, "in_msgs") ?? 0],
        ["out", number(page, "out_msgs") ?? 0],
      ]),
    }),
    [page],
  );
  const rates = useRates(topic, (count) => count);
  const slow = number(page, "slow_consumers") ?? 0;
  const cluster = text(page, "cluster", "name");
  const figure = (...path: string[]) => number(page, ...path) ?? 0;
  return (
    <>
      <Figures>
        <Figure label={say("connections")} value={whole(figure("connections"))} />
        <Figure label={say("inMessages")} value={rates.has("in") ? whole(rates.get("in")!) : "–"} />
        <Figure label={say("outMessages")} value={rates.has("out") ? whole(rates.get("out")!) : "–"} />
        <Figure label={say("slow")} value={whole(slow)} tone={slow ? "warn" : "plain"} />
        <Figure label={say("cpu")} value={`${decimal(figure("cpu"), 1)} %`} note={say("cores", { count: figure("cores") })} />
        <Figure label={say("memory")} value={bytes(figure("mem"))} />
        <Figure label={say("storage")} value={bytes(figure("jetstream", "stats", "storage"))} note={say("ofBound", { bound: bytes(figure("jetstream", "config", "max_storage")) })} />
      </Figures>
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3 lg:grid-cols-2">
        <Panel title={say("server")}>
          <Facts>
            <Fact label={say("name")}>
              <span className="figure">{text(page, "server_name")}</span>
            </Fact>
            <Fact label={say("version")}>
              <span className="figure">{text(page, "version")}</span>
            </Fact>
            <Fact label={say("address")}>
              <span className="figure">{`${text(page, "host")}:${figure("port")}`}</span>
            </Fact>
            <Fact label={say("up")}>
              <span className="figure">{now && text(page, "start") ? duration(now - Date.parse(text(page, "start"))) : "–"}</span>
            </Fact>
            <Fact label={say("cluster")}>{cluster ? <span className="figure">{cluster}</span> : say("alone")}</Fact>
            {cluster && (
              <Fact label={say("routes")}>
                <span className="figure">{whole(figure("routes"))}</span>
              </Fact>
            )}
          </Facts>
        </Panel>
        <Panel title={say("stores")}>
          <Facts>
            <Fact label={say("stored")}>
              <span className="figure">
                {bytes(figure("jetstream", "stats", "memory"))} {say("ofBound", { bound: bytes(figure("jetstream", "config", "max_memory")) })}
              </span>
            </Fact>
            <Fact label={say("apiRequests")}>
              <span className="figure">{whole(figure("jetstream", "stats", "api", "total"))}</span>
            </Fact>
            <Fact label={say("apiErrors")}>
              <span className="figure">{whole(figure("jetstream", "stats", "api", "errors"))}</span>
            </Fact>
            <Fact label={say("subscriptions")}>
              <span className="figure">{whole(figure("subscriptions"))}</span>
            </Fact>
            <Fact label={say("largest")}>
              <span className="figure">{bytes(figure("max_payload"))}</span>
            </Fact>
          </Facts>
        </Panel>
      </div>
    </>
  );
}
