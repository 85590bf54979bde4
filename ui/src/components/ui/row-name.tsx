import { cx } from "./cx";

/** The name in a row that opens: for who uses the keyboard. The click goes on to the row, which does what it does. */
export function RowName({ of, className }: { of: string; className?: string }) {
  return (
    <button type="button" title={of} className={cx("max-w-full truncate text-left align-middle font-medium hover:text-accent focus-visible:-outline-offset-1", className)}>
      {of}
    </button>
  );
}
