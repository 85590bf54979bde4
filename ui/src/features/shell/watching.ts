import type { Instance, Lease } from "@/lib/api/client";

/** Something that happened on the desk while this tab looked. `from` and `to` depend on the kind. */
export interface Change {
  id: number;
  at: number;
  kind: "came" | "restarted" | "stopped" | "lost" | "status" | "key-moved" | "key-state";
  service: string;
  /** Of the instance, or of the key. */
  name: string;
  from: string;
  to: string;
}

export interface Lost {
  instance: Instance;
  at: number;
}

const MOST = 200;
const ORDERLY = new Set(["DRAINING", "GONE"]);

/** Tells what has changed between one look at the desk and the next, and remembers who was lost. Pure but for itself. */
export class Watch {
  changes: Change[] = [];
  /** Instances that ended without saying so, and have not come back; the latest last. */
  lost = new Map<string, Lost>();
  private instances: Map<string, Instance> | null = null;
  private leases: Map<string, Lease> | null = null;
  private count = 0;

  /** Whether anything has changed. The first look tells nothing: it is what there was. */
  seeInstances(rows: ReadonlyMap<string, Instance>, at: number): boolean {
    const before = this.instances;
    this.instances = new Map(rows);
    if (!before) return false;
    const found = this.count;
    for (const [id, was] of before) if (!rows.has(id)) this.gone(id, was, at);
    for (const [id, is] of rows) this.seeInstance(id, before.get(id), is, at);
    return this.count !== found;
  }

  /** Of who was ended on purpose nothing more is to be said. */
  forget(id: string): void {
    this.lost.delete(id);
  }

  seeLeases(rows: ReadonlyMap<string, Lease>, at: number): boolean {
    const before = this.leases;
    this.leases = new Map(rows);
    if (!before) return false;
    const found = this.count;
    for (const [id, is] of rows) {
      const was = before.get(id);
      if (was?.epoch !== is.epoch && is.holder) {
        this.add("key-moved", is.service, is.key, was?.holder ?? was?.last_holder ?? "", is.holder, at);
      } else if (was && was.state !== is.state) {
        this.add("key-state", is.service, is.key, was.state, is.state, at);
      }
    }
    return this.count !== found;
  }

  private seeInstance(id: string, was: Instance | undefined, is: Instance, at: number): void {
    const lost = this.lost.delete(id);
    if (!was) this.add(lost ? "restarted" : "came", is.service, is.instance, "", is.status, at);
    else if (was.incarnation !== is.incarnation) this.add("restarted", is.service, is.instance, was.status, is.status, at);
    else if (was.status !== is.status && is.status !== "GONE") this.add("status", is.service, is.instance, was.status, is.status, at);
  }

  private gone(id: string, was: Instance, at: number): void {
    const isOrderly = ORDERLY.has(was.status);
    if (!isOrderly) this.lost.set(id, { instance: was, at });
    this.add(isOrderly ? "stopped" : "lost", was.service, was.instance, was.status, "", at);
  }

  private add(kind: Change["kind"], service: string, name: string, from: string, to: string, at: number): void {
    this.changes = [{ id: ++this.count, at, kind, service, name, from, to }, ...this.changes].slice(0, MOST);
  }
}
