"use client";

import { useState } from "react";
import { Field } from "@/components/ui/field";
import { usePreferences } from "@/lib/preferences";
import { useWords } from "@/lib/words";
import { AUDIT } from "./words";
import { fromField, toField } from "./zoned";

/** A moment as the console writes it everywhere, in the zone that is set: the browser's own field would have the browser's language. */
export function MomentField({ label, value, onChange }: { label: string; value: string; onChange: (moment: string) => void }) {
  const say = useWords(AUDIT);
  const { zone } = usePreferences();
  const [typed, setTyped] = useState<string | null>(null);
  const [isLeft, setLeft] = useState(false);
  const isWrong = typed !== null && typed !== "" && !fromField(typed, zone);
  const change = (text: string) => {
    setTyped(text);
    setLeft(false);
    if (!text || fromField(text, zone)) onChange(fromField(text, zone));
  };
  return (
    <Field
      label={label}
      placeholder={say("momentHint")}
      value={typed ?? toField(value, zone)}
      error={isWrong && isLeft ? say("momentWrong") : undefined}
      inputMode="numeric"
      autoComplete="off"
      className="figure"
      onChange={(event) => change(event.target.value)}
      onBlur={() => (isWrong ? setLeft(true) : setTyped(null))}
    />
  );
}
