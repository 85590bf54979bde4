import { cx } from "@/components/ui/cx";
import { decimal, whole } from "@/lib/format";
import { useWords } from "@/lib/words";
import { moveOf, type Tick } from "./quotes";
import { MARKET } from "./words";

const LEVELS = [0, 1, 2, 3, 4];
type Level = [number, number] | undefined;

/** Five levels of both sides, each with a bar as long as its size; the sum of both below. */
export function Book({ tick, digits }: { tick: Tick; digits: number }) {
  const say = useWords(MARKET);
  const sizes = [...tick.bids, ...tick.asks].map((one) => one[1]);
  const most = Math.max(1, ...sizes);
  const sum = (side: Tick["bids"]) => side.reduce((total, one) => total + one[1], 0);
  const bids = sum(tick.bids);
  const asks = sum(tick.asks);
  const row = (side: "ask" | "bid", at: number) => {
    const level = (side === "ask" ? tick.asks : tick.bids)[at] as Level;
    const move = level && tick.pre_settlement_price ? moveOf(level[0] - tick.pre_settlement_price) : "";
    return (
      <tr key={`${side}${at}`} className="h-[21px]">
        <th scope="row" className="w-10 pl-3 text-left font-normal text-faint @min-[430px]:pl-2">
          {say(side)} {at + 1}
        </th>
        <td data-move={move} className="figure text-right data-[move=down]:text-down data-[move=up]:text-up">
          {level ? decimal(level[0], digits) : "–"}
        </td>
        <td className="relative w-[42%] pr-3 text-right">
          <span aria-hidden="true" className={cx("absolute inset-y-[3px] right-1 rounded-[1px] opacity-25", side === "ask" ? "bg-faint" : "bg-accent")} style={{ width: level ? `calc(${(level[1] / most) * 100}% - 8px)` : 0 }} />
          <span className="figure relative">{level ? whole(level[1]) : ""}</span>
        </td>
      </tr>
    );
  };
  return (
    <div className="border-t py-2 @min-[430px]:border-t-0 @min-[430px]:border-l">
      <table aria-label={say("book")} className="w-full table-fixed text-xs">
        <tbody>
          {LEVELS.toReversed().map((at) => row("ask", at))}
          <tr aria-hidden="true">
            <td colSpan={3} className="h-[5px]">
              <div className="h-px bg-line" />
            </td>
          </tr>
          {LEVELS.map((at) => row("bid", at))}
        </tbody>
      </table>
      <div className="mx-3 mt-1.5 @min-[430px]:ml-2">
        <div aria-hidden="true" className="flex h-1 gap-px overflow-hidden rounded-[1px]">
          <span className="bg-accent" style={{ width: `${(bids / Math.max(1, bids + asks)) * 100}%` }} />
          <span className="grow bg-faint" />
        </div>
        <p className="figure mt-0.5 flex justify-between text-2xs text-faint">
          <span>
            {say("bid")} {whole(bids)}
          </span>
          <span>
            {say("ask")} {whole(asks)}
          </span>
        </p>
      </div>
    </div>
  );
}
