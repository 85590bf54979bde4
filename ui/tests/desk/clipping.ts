import type { Page } from "@playwright/test";

/**
 * Texts of which a part is out of sight and cannot be scrolled to, and what is wider than its place. Cut off may be
 * only what its `title`, or that of what it is in, says whole; never what is to be told apart at a glance: data-whole.
 */
export async function clipped(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const SLACK = 1.5;
    const found: string[] = [];
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth) found.push(`the page is wider by ${root.scrollWidth - root.clientWidth}`);
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
      const text = node.textContent!.trim();
      const holder = node.parentElement!;
      if (!text || !holder.checkVisibility({ visibilityProperty: true, opacityProperty: true }) || holder.closest("option") || isForHearing(holder)) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const at = range.getBoundingClientRect();
      const by = hidden(at, holder);
      if (by > SLACK && !saidWhole(holder, text)) found.push(`"${text.slice(0, 60)}" by ${by.toFixed(1)} px`);
    }
    for (const field of document.querySelectorAll<HTMLInputElement>("input[placeholder], textarea[placeholder]")) {
      if (field.value || !field.checkVisibility({ visibilityProperty: true })) continue;
      const { font, letterSpacing, paddingLeft, paddingRight } = getComputedStyle(field);
      const pen = document.createElement("canvas").getContext("2d")!;
      Object.assign(pen, { font, letterSpacing: letterSpacing === "normal" ? "0px" : letterSpacing });
      const by = pen.measureText(field.placeholder).width - (field.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight));
      if (by > SLACK) found.push(`placeholder "${field.placeholder}" by ${by.toFixed(1)} px`);
    }
    return found;

    /** How much of it lies beyond what clips it; what scrolls can be scrolled, so nothing further out counts in that direction. */
    function hidden(at: DOMRect, holder: HTMLElement): number {
      let most = 0;
      let [x, y] = [true, true];
      for (let box: HTMLElement | null = holder; box && (x || y); box = box.parentElement) {
        const { overflowX, overflowY, display, position } = getComputedStyle(box);
        if (display !== "inline" && display !== "contents") {
          const edge = box.getBoundingClientRect();
          if (x && overflowX !== "visible") {
            if (overflowX === "auto" || overflowX === "scroll") x = false;
            else most = Math.max(most, at.right - edge.right, edge.left - at.left);
          }
          if (y && overflowY !== "visible") {
            if (overflowY === "auto" || overflowY === "scroll") y = false;
            else most = Math.max(most, at.bottom - edge.bottom, edge.top - at.top);
          }
        }
        if (position === "fixed") break;
      }
      if (x) most = Math.max(most, at.right - root.clientWidth, -at.left);
      return most;
    }

    /** What only screen readers are told: a box of one pixel. */
    function isForHearing(holder: HTMLElement): boolean {
      const { position, width, height } = getComputedStyle(holder);
      return position === "absolute" && width === "1px" && height === "1px";
    }

    function saidWhole(holder: HTMLElement, text: string): boolean {
      return !holder.closest("[data-whole]") && Boolean(holder.closest<HTMLElement>("[title]")?.title.includes(text));
    }
  });
}
