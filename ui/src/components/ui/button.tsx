import type { ComponentProps } from "react";
import { cx } from "./cx";
import { Icon, type IconName } from "./icons";

const KINDS = {
  /** The one thing that a form or dialog is for. */
  primary: "border-accent bg-accent text-on-accent font-medium hover:brightness-110",
  plain: "border-strong bg-raised text-text hover:border-faint",
  quiet: "border-transparent text-soft hover:bg-raised hover:text-text",
  /** What stops, takes away or cannot be undone. */
  danger: "border-bad text-bad hover:bg-bad/10",
} as const;

interface ButtonProps extends ComponentProps<"button"> {
  kind?: keyof typeof KINDS;
  icon?: IconName;
  busy?: boolean;
}

export function Button({ kind = "plain", icon, busy, className, children, disabled, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      className={cx(
        "inline-flex h-7 items-center justify-center gap-1.5 rounded-sm border px-2.5 text-xs whitespace-nowrap transition-colors",
        "disabled:cursor-not-allowed disabled:opacity-45",
        KINDS[kind],
        className,
      )}
      {...rest}
    >
      {icon && <Icon name={icon} size={14} />}
      {children}
    </button>
  );
}

/** A button that is an icon only; `label` is what it says to who does not see it. */
export function IconButton({ icon, label, className, ...rest }: ComponentProps<"button"> & { icon: IconName; label: string }) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={cx("inline-flex size-7 items-center justify-center rounded-sm text-soft transition-colors hover:bg-raised hover:text-text disabled:cursor-not-allowed disabled:opacity-45", className)}
      {...rest}
    >
      <Icon name={icon} />
    </button>
  );
}
