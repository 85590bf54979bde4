import type { ComponentProps, KeyboardEvent } from "react";
import { Field } from "@/components/ui/field";

interface StepperProps extends Omit<ComponentProps<typeof Field>, "onChange"> {
  lower: string;
  higher: string;
  onStep: (by: 1 | -1) => void;
  onText: (text: string) => void;
}

/** A number that goes up and down by steps: by its buttons, or by the arrow keys. */
export function Stepper({ lower, higher, onStep, onText, disabled, ...rest }: StepperProps) {
  const onKeyDown = (event: KeyboardEvent) => {
    const by = { ArrowUp: 1, ArrowDown: -1 }[event.key] as 1 | -1 | undefined;
    if (!by) return;
    event.preventDefault();
    onStep(by);
  };
  const step = (by: 1 | -1) => (
    <button type="button" aria-label={by > 0 ? higher : lower} title={by > 0 ? higher : lower} disabled={disabled} onClick={() => onStep(by)} className="figure size-7 text-sm text-soft hover:bg-raised hover:text-text disabled:opacity-45">
      {by > 0 ? "+" : "−"}
    </button>
  );
  return (
    <div className="relative">
      <Field {...rest} disabled={disabled} inputMode="decimal" onChange={(event) => onText(event.target.value.trim())} onKeyDown={onKeyDown} className="figure pr-16!" />
      <div className="absolute top-6 right-0.5 flex">
        {step(-1)}
        {step(1)}
      </div>
    </div>
  );
}
