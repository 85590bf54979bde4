"use client";

import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { cx } from "./cx";

export interface MenuItem {
  label: ReactNode;
  onSelect: () => void;
  /** Of a choice: whether it is the present one. */
  checked?: boolean;
}

/** A button that opens a list of actions. Arrow keys move, Escape closes, and so does who goes on with Tab. */
export function Menu({ label, button, groups }: { label: string; button: ReactNode; groups: { title?: string; items: MenuItem[] }[] }) {
  const [isOpen, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const items = () => [...(root.current?.querySelectorAll<HTMLElement>("[role^=menuitem]") ?? [])];
  useEffect(() => {
    if (!isOpen) return;
    items()[0]?.focus();
    const outside = (event: PointerEvent) => !root.current?.contains(event.target as Node) && setOpen(false);
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [isOpen]);
  const close = () => {
    setOpen(false);
    root.current?.querySelector<HTMLElement>("[aria-haspopup]")?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") return close();
    if (event.key === "Tab") return setOpen(false);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = items();
    const at = all.indexOf(document.activeElement as HTMLElement);
    all[(at + step + all.length) % all.length]?.focus();
  };
  return (
    <div ref={root} className="relative" onKeyDown={onKeyDown}>
      <button type="button" aria-haspopup="menu" aria-expanded={isOpen} aria-label={label} onClick={() => setOpen(!isOpen)} className="flex h-7 items-center gap-1.5 rounded-sm px-1.5 text-xs text-soft hover:bg-raised hover:text-text">
        {button}
      </button>
      {isOpen && (
        <div role="menu" aria-label={label} className="absolute top-full right-0 z-40 mt-1 min-w-52 rounded-md border border-strong bg-panel py-1 shadow-2xl">
          {groups.map((group, at) => (
            <div key={at} role="group" aria-label={group.title} className={cx(at > 0 && "mt-1 border-t pt-1")}>
              {group.title && <p className="label px-3 pt-1 pb-0.5">{group.title}</p>}
              {group.items.map((item, index) => (
                <button
                  key={index}
                  type="button"
                  role={item.checked === undefined ? "menuitem" : "menuitemradio"}
                  aria-checked={item.checked}
                  tabIndex={-1}
                  onClick={() => {
                    item.onSelect();
                    close();
                  }}
                  className="flex w-full items-center justify-between gap-4 px-3 py-1 text-left text-xs hover:bg-raised focus-visible:bg-raised focus-visible:-outline-offset-2"
                >
                  {item.label}
                  {item.checked && <span aria-hidden="true" className="size-1.5 rounded-full bg-accent" />}
                </button>
              ))}
            </div>
          ))}
        </div>
      )}
    </div>
  );
}
