"use client";

import { type ReactNode, type RefObject, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useUrlState } from "@/lib/url";
import { useWords } from "@/lib/words";
import { cx } from "./cx";
import { Icon } from "./icons";
import { Empty } from "./states";
import { UI } from "./words";

const ROW_PX = 30;
const BEYOND = 8;

export interface Column<T> {
  key: string;
  title: string;
  cell: (row: T) => ReactNode;
  /** What rows are sorted by; a column without it does not sort. */
  sort?: (row: T) => string | number;
  /** Numbers stand on the right. */
  right?: boolean;
  /** CSS width; columns without one share the rest. */
  width?: string;
  /** From which width of the table on it is shown: 420, 560, 720 or 960 pixels; without, always. */
  from?: "sm" | "md" | "lg" | "xl";
}

const FROM = {
  sm: "@max-[420px]:hidden",
  md: "@max-[560px]:hidden",
  lg: "@max-[720px]:hidden",
  xl: "@max-[960px]:hidden",
} as const;

interface TableProps<T> {
  /** What the table shows, for who does not see it; also the name of its sorting in the address. */
  name: string;
  label: string;
  columns: Column<T>[];
  rows: readonly T[];
  rowKey: (row: T) => string;
  onOpen?: (row: T) => void;
  /** Marks the row that is looked at. */
  selected?: string;
  empty?: ReactNode;
  /** The most that it takes of the page; it scrolls inside. */
  height?: string;
}

/** Rows of one height, of which only those in sight are in the document; sorted by a click, as the address says. */
export function Table<T>({ name, label, columns, rows, rowKey, onOpen, selected, empty, height = "max(320px, calc(100dvh - 260px))" }: TableProps<T>) {
  const say = useWords(UI);
  const [order, setOrder] = useUrlState(`${name}-sort`);
  const sorted = useSorted(columns, rows, order);
  const box = useRef<HTMLDivElement>(null);
  const [range, look] = useRange(box, sorted.length);
  if (!rows.length) return <Empty>{empty}</Empty>;
  const head = (column: Column<T>) => {
    const isBy = order === column.key || order === `-${column.key}`;
    if (!column.sort) return column.title;
    return (
      <button
        type="button"
        aria-label={say("sortBy", { column: column.title })}
        onClick={() => setOrder(order === column.key ? `-${column.key}` : column.key)}
        className={cx("inline-flex max-w-full items-center gap-1 truncate hover:text-text", isBy && "text-text")}
      >
        <span className="truncate">{column.title}</span>
        {isBy && <Icon name={order.startsWith("-") ? "down" : "up"} size={10} />}
      </button>
    );
  };
  return (
    <div ref={box} onScroll={look} role="group" aria-label={label} tabIndex={0} className="@container overflow-auto focus-visible:-outline-offset-2 print:max-h-none! print:overflow-visible" style={{ maxHeight: height }}>
      <table aria-rowcount={sorted.length + 1} className="w-full table-fixed border-separate border-spacing-0 text-xs">
        <thead>
          <tr>
            {columns.map((column) => (
              <th
                key={column.key}
                scope="col"
                style={{ width: column.width }}
                aria-sort={order === column.key ? "ascending" : order === `-${column.key}` ? "descending" : undefined}
                className={cx("label sticky top-0 z-10 h-7 truncate border-b bg-panel px-2 first:pl-3 last:pr-3", column.right ? "text-right" : "text-left", column.from && FROM[column.from])}
              >
                {head(column)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="[&>tr:last-child>td]:border-b-transparent">
          {range.first > 0 && <tr aria-hidden="true" className="print:hidden" style={{ height: range.first * ROW_PX }} />}
          {sorted.slice(range.first, range.last).map((row, at) => {
            const key = rowKey(row);
            return (
              <tr key={key} aria-rowindex={range.first + at + 2} onClick={onOpen && (() => onOpen(row))} className={cx("h-[30px]", onOpen && "cursor-pointer hover:bg-raised", selected === key && "bg-raised")}>
                {columns.map((column) => (
                  <td key={column.key} className={cx("h-[30px] truncate border-b border-line/70 px-2 first:pl-3 last:pr-3", column.right && "figure text-right", column.from && FROM[column.from])}>
                    {column.cell(row)}
                  </td>
                ))}
              </tr>
            );
          })}
          {range.last < sorted.length && <tr aria-hidden="true" className="print:hidden" style={{ height: (sorted.length - range.last) * ROW_PX }} />}
        </tbody>
      </table>
    </div>
  );
}

function useSorted<T>(columns: Column<T>[], rows: readonly T[], order: string): readonly T[] {
  const by = columns.find((column) => column.key === order.replace(/^-/, ""))?.sort;
  return useMemo(() => {
    if (!by) return rows;
    const sign = order.startsWith("-") ? -1 : 1;
    return rows
      .map((row) => ({ row, value: by(row) }))
      .sort((a, b) => (a.value < b.value ? -sign : a.value > b.value ? sign : 0))
      .map((one) => one.row);
    // `by` is another function at each render; what it does is told by `order`
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [rows, order]);
}

/** Which rows are in sight, and a few beyond: by how far the box is scrolled, and how high it is. */
function useRange(box: RefObject<HTMLDivElement | null>, count: number): [{ first: number; last: number }, () => void] {
  const [sight, setSight] = useState({ first: 0, last: 40 });
  const look = useCallback(() => {
    if (box.current) setSight(seen(box.current));
  }, [box]);
  const isShown = count > 0;
  useEffect(() => {
    if (!isShown || !box.current) return;
    const resized = new ResizeObserver(look);
    resized.observe(box.current);
    return () => resized.disconnect();
  }, [box, look, isShown]);
  return [{ first: Math.min(sight.first, Math.max(0, count - 1)), last: Math.min(sight.last, count) }, look];
}

function seen(box: HTMLDivElement): { first: number; last: number } {
  return {
    first: Math.max(0, Math.floor(box.scrollTop / ROW_PX) - BEYOND),
    last: Math.ceil((box.scrollTop + box.clientHeight) / ROW_PX) + BEYOND,
  };
}
