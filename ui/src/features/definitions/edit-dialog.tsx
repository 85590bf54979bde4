"use client";

import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Answer, NotDone } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { UI } from "@/components/ui/words";
import { Problem } from "@/lib/api/problem";
import { useWords } from "@/lib/words";
import { Conflict, type Conflicting } from "./conflict";
import { asked, type Definition, definitionOf, isName, methodsOf, put, type Service } from "./definition";
import { DEFINITIONS } from "./words";

const EMPTY: Definition = { version: "", methods: [], description: "" };
const LONGEST_VERSION = 64;
const LONGEST_DESCRIPTION = 1_000;

interface EditProps {
  /** Which one; without, a new one is made. */
  name?: string;
  onDone: (saved: Service) => void;
  onClose: () => void;
}

/** Change a definition as it was when the dialog was opened, or make one. Where somebody else was faster, both are shown. */
export function EditDialog({ name, onDone, onClose }: EditProps) {
  const say = useWords(DEFINITIONS);
  const begun = useQuery({
    queryKey: ["service-edited", name],
    queryFn: () => (name ? asked(name) : { definition: EMPTY, revision: 0 }),
    staleTime: Infinity,
    gcTime: 0,
  });
  const [busy, setBusy] = useState(false);
  return (
    <Dialog title={name ? say("editTitle", { name }) : say("createTitle")} busy={busy} onClose={onClose} className="w-[min(760px,calc(100vw-24px))]!">
      <Answer of={begun}>{({ definition, revision }) => <Editing name={name} begun={definition} revision={revision} busy={busy} setBusy={setBusy} onDone={onDone} onClose={onClose} />}</Answer>
    </Dialog>
  );
}

function Editing({ name: given, begun, revision: first, busy, setBusy, onDone, onClose }: EditProps & { begun: Definition; revision: number; busy: boolean; setBusy: (busy: boolean) => void }) {
  const say = useWords(DEFINITIONS);
  const [name, setName] = useState(given ?? "");
  const [draft, setDraft] = useState({ ...begun, methods: begun.methods.join("\n") });
  const [revision, setRevision] = useState(first);
  const [conflict, setConflict] = useState<Conflicting | null>(null);
  const [error, setError] = useState<unknown>(null);
  const wanted = { ...definitionOf({ ...begun, ...draft, methods: methodsOf(draft.methods) }) };
  const save = async (over: number) => {
    setBusy(true);
    setError(null);
    try {
      const saved = await put(name, wanted, over);
      toast(say("saved", { name, revision: saved.revision }));
      onDone(saved);
      onClose();
    } catch (problem) {
      if (problem instanceof Problem && problem.code === "changed") {
        setConflict({ current: problem.details.current as Service | null, revision: Number(problem.details.revision), begunAt: over });
      } else setError(problem);
      setBusy(false);
    }
  };
  if (conflict) {
    return (
      <Conflict
        name={name}
        of={conflict}
        yours={wanted}
        busy={busy}
        error={error}
        onTakeTheirs={(theirs) => {
          setDraft({ ...definitionOf(theirs), methods: theirs.methods.join("\n") });
          setRevision(conflict.revision);
          setConflict(null);
        }}
        onOverwrite={() => void save(conflict.revision)}
        onDiscard={onClose}
      />
    );
  }
  return (
    <Form
      name={name}
      setName={given === undefined ? setName : undefined}
      draft={draft}
      setDraft={setDraft}
      busy={busy}
      error={error}
      onSave={() => void save(revision)}
      onClose={onClose}
    />
  );
}

type Draft = Omit<Definition, "methods"> & { methods: string };

interface FormProps {
  name: string;
  setName?: (name: string) => void;
  draft: Draft;
  setDraft: (draft: Draft) => void;
  busy: boolean;
  error: unknown;
  onSave: () => void;
  onClose: () => void;
}

function Form({ name, setName, draft, setDraft, busy, error, onSave, onClose }: FormProps) {
  const say = useWords(DEFINITIONS);
  const sayUi = useWords(UI);
  const isBadName = name !== "" && !isName(name);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSave();
  };
  return (
    <form onSubmit={submit} className="grid gap-4 p-4">
      <div className="grid gap-4 sm:grid-cols-2">
        {setName && <Field label={say("name")} hint={say("nameHint")} error={isBadName ? say("nameHint") : undefined} value={name} onChange={(event) => setName(event.target.value)} className="figure" required autoFocus />}
        <Field label={say("version")} value={draft.version} maxLength={LONGEST_VERSION} onChange={(event) => setDraft({ ...draft, version: event.target.value })} className="figure" />
      </div>
      <Lines label={say("description")} rows={3} value={draft.description} maxLength={LONGEST_DESCRIPTION} onChange={(description) => setDraft({ ...draft, description })} />
      <Lines label={`${say("methods")} (${methodsOf(draft.methods).length})`} hint={say("methodsHint")} rows={8} value={draft.methods} onChange={(methods) => setDraft({ ...draft, methods })} className="figure" />
      <NotDone error={error} />
      <div className="flex justify-end gap-2">
        <Button kind="quiet" disabled={busy} onClick={onClose}>
          {sayUi("cancel")}
        </Button>
        <Button type="submit" kind="primary" busy={busy} disabled={!isName(name)}>
          {say("save")}
        </Button>
      </div>
    </form>
  );
}

interface LinesProps {
  label: string;
  hint?: string;
  rows: number;
  value: string;
  maxLength?: number;
  onChange: (value: string) => void;
  className?: string;
}

function Lines({ label, hint, onChange, className = "", ...rest }: LinesProps) {
  const id = useId();
  return (
    <div className="grid gap-1">
      <label htmlFor={id} className="text-xs text-soft">
        {label}
      </label>
      <textarea id={id} aria-describedby={hint && `${id}-hint`} spellCheck={false} onChange={(event) => onChange(event.target.value)} className={`w-full resize-y rounded-sm border border-strong bg-field px-2.5 py-1.5 text-xs focus:border-accent focus:outline-none ${className}`} {...rest} />
      {hint && (
        <p id={`${id}-hint`} className="text-xs text-faint">
          {hint}
        </p>
      )}
    </div>
  );
}
