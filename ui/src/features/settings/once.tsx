"use client";

import { useRef } from "react";
import { Button } from "@/components/ui/button";
import { isCopied } from "@/components/ui/copy";
import { Dialog } from "@/components/ui/dialog";
import { toast } from "@/components/ui/toast";
import { UI } from "@/components/ui/words";
import { useWords } from "@/lib/words";
import { SETTINGS } from "./words";

/** A secret that is shown this once: it is kept nowhere, and gone when this is closed. */
export function Once({ title, note, secret, onClose }: { title: string; note: string; secret: string; onClose: () => void }) {
  const say = useWords(SETTINGS);
  const sayUi = useWords(UI);
  const shown = useRef<HTMLOutputElement>(null);
  /** A toast would go on showing the secret when this is closed: where it cannot be copied it is selected here. */
  const copy = async () => {
    if (await isCopied(secret)) return toast(say("copied"));
    if (shown.current) getSelection()?.selectAllChildren(shown.current);
    toast(sayUi("notCopied"), "bad");
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="grid grid-cols-[minmax(0,1fr)] gap-4 p-4">
        <p className="text-sm text-soft">{note}</p>
        <div className="flex items-center gap-2 rounded-sm border border-accent/50 bg-field py-1 pr-1 pl-3">
          <output ref={shown} className="figure min-w-0 grow text-sm break-all" data-testid="secret">
            {secret}
          </output>
          <Button kind="quiet" icon="copy" onClick={() => void copy()}>
            {say("copy")}
          </Button>
        </div>
        <div className="flex justify-end">
          <Button kind="primary" onClick={onClose}>
            {say("stored")}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
