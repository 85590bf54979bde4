"use client";

import { type CandlestickData, CandlestickSeries, createChart, type HistogramData, HistogramSeries, type IChartApi, type ISeriesApi, TickMarkType, type Time, type UTCTimestamp } from "lightweight-charts";
import { useEffect, useRef } from "react";
import type { Schemas } from "@/lib/api/client";
import { decimal, whole } from "@/lib/format";
import { usePreferences } from "@/lib/preferences";
import { useTimes } from "@/lib/time";
import { useWords } from "@/lib/words";
import { useBoard } from "./board";
import { type Bar, goneOn, type Period } from "./quotes";
import { MARKET } from "./words";

const HEIGHT_PX = 280;

interface Drawn {
  chart: IChartApi;
  prices: ISeriesApi<"Candlestick">;
  volumes: ISeriesApi<"Histogram">;
  colours: Colours;
}

interface Colours {
  up: string;
  down: string;
  upFaint: string;
  downFaint: string;
  text: string;
  line: string;
  strong: string;
}

/** A chart of bars, in the colours of the theme and the time zone that is set. Loaded only where it is shown: it draws on a canvas and adds no styles. */
export function Candles({ told, instrument, digits }: { told: Schemas["Bars"]; instrument: string; digits: number }) {
  const say = useWords(MARKET);
  const board = useBoard();
  const { theme, language, rise } = usePreferences();
  const { moment } = useTimes();
  const box = useRef<HTMLDivElement>(null);
  const caption = useRef<HTMLParagraphElement>(null);
  const drawn = useRef<Drawn | null>(null);
  const shown = useRef({ told, moment, say });
  useEffect(() => {
    shown.current = { told, moment, say };
  });
  useEffect(() => {
    const made = draw(box.current!, digits);
    drawn.current = made;
    const clock = (at: Time) => shown.current.moment(Number(at) * 1_000);
    const isDays = shown.current.told.period === "1d";
    const tell = (bar: CandlestickData | undefined, volume: HistogramData | undefined) => {
      if (!caption.current) return;
      const when = !bar ? "" : isDays ? String(bar.time) : clock(bar.time).slice(5, 16);
      caption.current.textContent = bar ? `${when}   ${shown.current.say("candle", { open: decimal(bar.open, digits), high: decimal(bar.high, digits), low: decimal(bar.low, digits), close: decimal(bar.close, digits), volume: volume ? whole(volume.value) : "–" })}` : "";
    };
    made.chart.applyOptions({
      localization: { timeFormatter: (at: Time) => (isDays ? String(at) : clock(at).slice(5, 16)) },
      timeScale: { tickMarkFormatter: (at: Time, mark: TickMarkType) => (isDays ? String(at).slice(5) : mark < TickMarkType.Time ? clock(at).slice(5, 10) : clock(at).slice(11, 16)) },
    });
    made.chart.subscribeCrosshairMove((move) => tell(move.seriesData.get(made.prices) as CandlestickData | undefined, move.seriesData.get(made.volumes) as HistogramData | undefined));
    fill(made, shown.current.told.bars, shown.current.told.period);
    return () => {
      drawn.current = null;
      made.chart.remove();
    };
  }, [digits, theme, language, rise]);
  useEffect(() => {
    if (drawn.current) fill(drawn.current, told.bars, told.period);
    let last = told.bars.at(-1)!;
    let seen = board.rows.get(instrument);
    return board.onTake(() => {
      const tick = board.rows.get(instrument);
      if (!tick || tick === seen || !drawn.current) return;
      last = goneOn(last, seen, tick, told.period);
      if (!tick.flags.includes("stale")) seen = tick;
      drawn.current.prices.update(candle(last, told.period));
      drawn.current.volumes.update(column(last, told.period, drawn.current.colours));
    });
  }, [told, board, instrument]);
  return (
    <div className="relative">
      <p ref={caption} data-testid="candle" aria-hidden="true" className="figure pointer-events-none absolute inset-x-3 top-1.5 z-10 text-2xs whitespace-pre-wrap text-soft" />
      <div ref={box} role="img" aria-label={say("candlesLabel", { count: whole(told.bars.length), last: decimal(told.bars.at(-1)?.close, digits) })} style={{ height: HEIGHT_PX }} />
    </div>
  );
}

function draw(box: HTMLElement, digits: number): Drawn {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string) => style.getPropertyValue(name).trim();
  const [up, down] = [token("--up"), token("--down")];
  const colours: Colours = { up, down, upFaint: `${up}55`, downFaint: `${down}55`, text: token("--faint"), line: token("--line"), strong: token("--strong") };
  const chart = createChart(box, {
    autoSize: true,
    layout: { background: { color: "transparent" }, textColor: colours.text, fontFamily: style.getPropertyValue("--font-mono") || "IBM Plex Mono, monospace", fontSize: 11, attributionLogo: false },
    grid: { vertLines: { visible: false }, horzLines: { color: colours.line } },
    rightPriceScale: { borderColor: colours.line, scaleMargins: { top: 0.12, bottom: 0.26 } },
    timeScale: { borderColor: colours.line, timeVisible: true, secondsVisible: false, rightOffset: 3, barSpacing: 7, minBarSpacing: 1.5 },
    crosshair: { vertLine: { color: colours.strong, labelBackgroundColor: colours.strong }, horzLine: { color: colours.strong, labelBackgroundColor: colours.strong } },
    handleScroll: { mouseWheel: false },
  });
  const priceFormat = { type: "price", precision: digits, minMove: 10 ** -digits } as const;
  const prices = chart.addSeries(CandlestickSeries, { upColor: colours.up, downColor: colours.down, wickUpColor: colours.up, wickDownColor: colours.down, borderVisible: false, priceFormat });
  const volumes = chart.addSeries(HistogramSeries, { priceScaleId: "", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
  volumes.priceScale().applyOptions({ scaleMargins: { top: 0.8, bottom: 0 } });
  return { chart, prices, volumes, colours };
}

function fill({ prices, volumes, colours }: Drawn, bars: Bar[], period: Period): void {
  prices.setData(bars.map((bar) => candle(bar, period)));
  volumes.setData(bars.map((bar) => column(bar, period, colours)));
}

function candle(bar: Bar, period: Period): CandlestickData {
  const { open, high, low, close } = bar;
  return { time: timeOf(bar, period), open, high, low, close };
}

function column(bar: Bar, period: Period, colours: Colours): HistogramData {
  return { time: timeOf(bar, period), value: bar.volume, color: bar.close < bar.open ? colours.downFaint : colours.upFaint };
}

function timeOf(bar: Bar, period: Period): Time {
  if (period !== "1d") return (Date.parse(bar.begin) / 1_000) as UTCTimestamp;
  const day = bar.trading_day;
  return `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}`;
}
