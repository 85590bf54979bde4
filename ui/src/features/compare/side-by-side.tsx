"use client";

import { cx } from "@/components/ui/cx";
import { useWords } from "@/lib/words";
import { sideBySide } from "./lines";
import { COMPARE } from "./words";

interface Side {
  title: string;
  text: string;
}

/** Two texts next to each other; the lines that differ are marked. On a narrow place they scroll sideways together. */
export function SideBySide({ before, after, height = "min(360px, 50dvh)" }: { before: Side; after: Side; height?: string }) {
  const say = useWords(COMPARE);
  const pairs = sideBySide(before.text, after.text);
  const isSame = pairs.every((pair) => !pair.isChanged);
  return (
    <div role="group" aria-label={`${before.title}, ${after.title}`} tabIndex={0} className="overflow-auto rounded-sm border bg-field" style={{ maxHeight: height }}>
      <table className="figure w-full min-w-[460px] table-fixed border-separate border-spacing-0 text-2xs">
        <thead>
          <tr>
            {[before, after].map((side, at) => (
              <th key={at} scope="col" className={cx("label sticky top-0 h-7 truncate border-b bg-raised px-2 text-left font-sans", at > 0 && "border-l")} title={side.title}>
                {side.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {pairs.map((pair, at) => (
            <tr key={at} className="align-top">
              <Line text={pair.before} isChanged={pair.isChanged} tone="text-bad bg-bad/10" note={say("onlyHere")} />
              <Line text={pair.after} isChanged={pair.isChanged} tone="text-well bg-well/10" note={say("onlyHere")} isSecond />
            </tr>
          ))}
        </tbody>
      </table>
      {isSame && <p className="border-t px-2 py-1.5 text-xs text-faint">{say("same")}</p>}
    </div>
  );
}

function Line({ text, isChanged, tone, note, isSecond }: { text: string | null; isChanged: boolean; tone: string; note: string; isSecond?: boolean }) {
  return (
    <td className={cx("px-2 py-px wrap-anywhere whitespace-pre-wrap", isSecond && "border-l", isChanged ? (text === null ? "bg-raised/60" : tone) : "text-soft")}>
      {isChanged && text !== null && <span className="sr-only">{note} </span>}
      {text ?? ""}
    </td>
  );
}
