import { type ComponentProps, type ReactNode, useId } from "react";
import { cx } from "./cx";

const BOX =
  "h-8 w-full rounded-sm border border-strong bg-field px-2.5 text-sm text-text placeholder:text-faint " +
  "focus:border-accent focus:outline-none focus-visible:outline-none disabled:opacity-50 aria-invalid:border-bad";

interface FieldProps {
  label: string;
  hint?: ReactNode;
  error?: string;
}

function Framed({ label, hint, error, id, children }: FieldProps & { id: string; children: ReactNode }) {
  return (
    <div className="grid gap-1">
      <label htmlFor={id} className="text-xs text-soft">
        {label}
      </label>
      {children}
      {(error ?? hint) && (
        <p id={`${id}-hint`} className={cx("text-xs", error ? "text-bad" : "text-faint")}>
          {error ?? hint}
        </p>
      )}
    </div>
  );
}

/** A text field under its label; `error` takes the place of `hint`. With `autoFocus` a dialog begins in it. */
export function Field({ label, hint, error, className, autoFocus, ...rest }: FieldProps & ComponentProps<"input">) {
  const id = useId();
  return (
    <Framed {...{ label, hint, error, id }}>
      <input id={id} aria-invalid={error ? true : undefined} aria-describedby={(error ?? hint) ? `${id}-hint` : undefined} className={cx(BOX, className)} autoComplete="off" spellCheck={false} autoFocus={autoFocus} data-focus={autoFocus || undefined} {...rest} />
    </Framed>
  );
}

/** A choice of few under its label. */
export function Choice({ label, hint, error, className, children, ...rest }: FieldProps & ComponentProps<"select">) {
  const id = useId();
  return (
    <Framed {...{ label, hint, error, id }}>
      <select id={id} className={cx(BOX, className)} {...rest}>
        {children}
      </select>
    </Framed>
  );
}

/** A field that narrows a list; its label is for who does not see it. */
export function Filter({ label, value, onChange, className }: { label: string; value: string; onChange: (value: string) => void; className?: string }) {
  return (
    <input
      type="search"
      aria-label={label}
      placeholder={label}
      value={value}
      onChange={(event) => onChange(event.target.value)}
      spellCheck={false}
      className={cx(BOX, "h-7! text-xs!", className)}
    />
  );
}

/** One of a few, side by side. */
export function Segments<T extends string>({ label, value, options, onChange }: { label: string; value: T; options: { value: T; label: string; note?: ReactNode }[]; onChange: (value: T) => void }) {
  return (
    <div role="group" aria-label={label} className="inline-flex h-7 overflow-hidden rounded-sm border border-strong">
      {options.map((option) => (
        <button
          key={option.value}
          type="button"
          aria-pressed={option.value === value}
          onClick={() => onChange(option.value)}
          className={cx(
            "border-l border-strong px-2.5 text-xs whitespace-nowrap first:border-l-0 focus-visible:-outline-offset-2",
            option.value === value ? "bg-raised font-medium text-text" : "text-soft hover:text-text",
          )}
        >
          {option.label}
          {option.note !== undefined && <span className="figure ml-1.5 text-faint">{option.note}</span>}
        </button>
      ))}
    </div>
  );
}
