/** What the server sends of a topic: a snapshot replaces all rows, a delta some; large ones come in parts. */
export interface Told {
  type: "snapshot" | "delta";
  topic: string;
  origin: string;
  sequence: number;
  part: number;
  parts: number;
  rows: Record<string, unknown>;
  gone: string[];
}

/** The rows of a topic as they are known here, and from where on more of them is asked after a cut. Pure. */
export class LiveTable {
  rows: Map<string, unknown> = new Map();
  origin = "";
  sequence: number | null = null;
  isWhole = false;
  private coming: Map<string, unknown> | null = null;

  /** Whether the rows to be shown are others now. */
  take(told: Told): boolean {
    if (told.type === "snapshot") {
      if (told.part === 0) this.coming = new Map();
      if (this.coming === null) return false; // the beginning was lost with another connection
      for (const key in told.rows) this.coming.set(key, told.rows[key]);
      if (told.part < told.parts - 1) return false;
      this.rows = this.coming;
      this.coming = null;
      this.isWhole = true;
    } else {
      for (const key of told.gone) this.rows.delete(key);
      for (const key in told.rows) this.rows.set(key, told.rows[key]);
    }
    if (told.part === told.parts - 1) {
      this.origin = told.origin;
      this.sequence = told.sequence;
    }
    return true;
  }

  /** A snapshot that was cut in the middle does not go on. */
  cut(): void {
    this.coming = null;
  }

  /** What to ask the server for. */
  wanted(topic: string): { topic: string; origin?: string; sequence?: number } {
    return this.sequence === null ? { topic } : { topic, origin: this.origin, sequence: this.sequence };
  }
}
