const ACTS = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"];

/** Whether somebody has done something since it was asked last. To open a page is to do something. */
export class Attention {
  private isThere = true;

  constructor(where: EventTarget | undefined) {
    for (const act of ACTS) where?.addEventListener(act, () => (this.isThere = true), { capture: true, passive: true });
  }

  take(): boolean {
    const was = this.isThere;
    this.isThere = false;
    return was;
  }
}
