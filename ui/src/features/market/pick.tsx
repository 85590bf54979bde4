/** One of a list, as small as a filter; its label is for who does not see it. */
export function Pick<T extends string>({ label, value, options, onChange }: { label: string; value: T; options: { value: T; label: string }[]; onChange: (value: T) => void }) {
  return (
    <select
      aria-label={label}
      title={label}
      value={value}
      onChange={(event) => onChange(event.target.value as T)}
      className="h-7 max-w-44 rounded-sm border border-strong bg-field px-2 text-xs text-text focus:border-accent focus:outline-none focus-visible:outline-none"
    >
      {options.map((option) => (
        <option key={option.value} value={option.value}>
          {option.label}
        </option>
      ))}
    </select>
  );
}
