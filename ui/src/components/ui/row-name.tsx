import { cx } from "./cx";

/** The name in a row that opens: for who uses the keyboard. The click goes on to the row, which does what it does. `whole`: it may not be cut off. */
export function RowName({ of, className, whole }: { of: string; className?: string; whole?: boolean }) {
  return (
    <button type="button" title={of} data-whole={whole || undefined} className={cx("max-w-full truncate text-left align-middle font-medium hover:text-accent focus-visible:-outline-offset-1", className)}>
      {of}
    </button>
  );
}
