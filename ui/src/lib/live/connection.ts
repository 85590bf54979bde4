import { type Problem, problemOf } from "@/lib/api/problem";
import { LiveTable, type Told } from "./table";

/**
 * How what is shown is. `partly`: some of what is followed is not what its source says now. `stale`: open, but the desk
 * is not heard, or nothing has come for a while.
 */
export type LiveState = "connecting" | "live" | "partly" | "stale" | "lost";

/** Why the rows of a topic are not true: their source has not told them anew yet, or it cannot be read. */
export interface Trouble {
  topic: string;
  state: "filling" | "failing";
  /** In milliseconds; the rows are as they were then. */
  since: number;
  /** What the source says; none while it is filled. */
  problem: Problem | null;
}

/** A topic as components see it; a new object whenever its rows are others. */
export interface TopicView {
  rows: ReadonlyMap<string, unknown>;
  /** Whether all rows have come at least once. */
  isWhole: boolean;
  /** Why it is not followed. */
  refusal: Problem | null;
  trouble: Trouble | null;
}

export interface Status {
  state: LiveState;
  /** When we last heard that what is shown is up to date, in milliseconds; 0: never. */
  freshAt: number;
  /** The management instance at the other end. */
  instance: string;
  /** Whether there was no room for one more connection. */
  isFull: boolean;
  /** Of what somebody looks at, whatever is shown and not true, or cannot be shown. */
  troubles: readonly Trouble[];
}

const SILENT_MS = 3_000;
const DEAD_MS = 5_000;
const LOOK_MS = 500;
const LINGER_MS = 5_000;
const AGAIN_MS = [250, 500, 1_000, 2_000, 4_000];
const SIGNED_OUT = 4401;
const FULL = 1013;
const EMPTY: TopicView = { rows: new Map(), isWhole: false, refusal: null, trouble: null };

type Message =
  | Told
  | { type: "hello"; instance: string }
  | { type: "alive"; hears: string }
  | { type: "refused"; topic: string; problem: unknown }
  | { type: "state"; topic: string; state: "filling" | "live" | "failing"; since: string; problem: unknown };

interface Topic {
  table: LiveTable;
  view: TopicView;
  listeners: Set<() => void>;
}

/** The one WebSocket of this tab, and the tables that it keeps. Listeners are told at most once a frame. */
export class LiveConnection {
  status: Status = { state: "connecting", freshAt: 0, instance: "", isFull: false, troubles: [] };
  private readonly topics = new Map<string, Topic>();
  private readonly statusListeners = new Set<() => void>();
  private readonly changed = new Set<string>();
  private socket: WebSocket | null = null;
  private failures = 0;
  private heardAt = 0;
  private hears = "";
  private frame = 0;
  private timer: ReturnType<typeof setInterval> | undefined;
  private again: ReturnType<typeof setTimeout> | undefined;

  /** `onRefused` is told when the server does not let us in: the session may have ended. */
  constructor(private readonly onRefused: () => void) {}

  start(): void {
    this.timer = setInterval(() => this.look(), LOOK_MS);
    this.connect();
  }

  stop(): void {
    clearInterval(this.timer);
    clearTimeout(this.again);
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  readonly onStatus = (listener: () => void): (() => void) => {
    this.statusListeners.add(listener);
    return () => this.statusListeners.delete(listener);
  };

  view(name: string): TopicView {
    return this.topics.get(name)?.view ?? EMPTY;
  }

  /** Follow a topic until the function that is returned is called; it is kept a little longer, for who comes back. */
  follow(name: string, listener: () => void): () => void {
    let topic = this.topics.get(name);
    if (!topic) {
      topic = { table: new LiveTable(), view: EMPTY, listeners: new Set() };
      this.topics.set(name, topic);
      this.send("subscribe", [topic.table.wanted(name)]);
    }
    topic.listeners.add(listener);
    if (topic.view.trouble) this.look();
    return () => {
      topic.listeners.delete(listener);
      if (topic.view.trouble) this.look();
      if (!topic.listeners.size) setTimeout(() => this.leave(name, topic), LINGER_MS);
    };
  }

  private leave(name: string, topic: Topic): void {
    if (topic.listeners.size || this.topics.get(name) !== topic) return;
    this.topics.delete(name);
    this.send("unsubscribe", [{ topic: name }]);
  }

  private connect(): void {
    const at = new URL("/api/live", window.location.href);
    at.protocol = at.protocol.replace("http", "ws");
    const socket = new WebSocket(at);
    this.socket = socket;
    this.heardAt = Date.now();
    this.hears = "";
    socket.onopen = () => {
      const wanted = [...this.topics].map(([name, topic]) => topic.table.wanted(name));
      if (wanted.length) this.send("subscribe", wanted);
    };
    socket.onmessage = (event: MessageEvent<string>) => this.take(event.data);
    socket.onclose = (event) => this.socket === socket && this.ended(event.code);
  }

  /** Nothing more comes of this socket; another one goes on after a while. */
  private ended(code: number): void {
    this.socket = null;
    for (const [name, topic] of this.topics) {
      topic.table.cut();
      this.doubt(name, { topic: name, state: "filling", since: this.status.freshAt, problem: null });
    }
    if (code === SIGNED_OUT || this.failures > 0) this.onRefused();
    const wait = AGAIN_MS[Math.min(this.failures, AGAIN_MS.length - 1)]!;
    this.failures += 1;
    this.again = setTimeout(() => this.connect(), wait * (0.75 + Math.random() / 2));
    this.say({ state: "lost", isFull: code === FULL });
  }

  private take(text: string): void {
    const message = JSON.parse(text) as Message;
    this.heardAt = Date.now();
    switch (message.type) {
      case "hello": // who is not let in is not greeted, though his socket was open for a moment
        this.failures = 0;
        return this.say({ instance: message.instance, isFull: false });
      case "alive":
        this.hears = message.hears;
        return this.look();
      case "refused":
        return this.refused(message.topic, problemOf(0, message.problem));
      case "state": {
        const { topic, state, since, problem } = message;
        return this.doubt(topic, state === "live" ? null : { topic, state, since: Date.parse(since), problem: problem ? problemOf(0, problem) : null });
      }
      default: {
        const topic = this.topics.get(message.topic);
        if (topic?.table.take(message)) this.mark(message.topic);
      }
    }
  }

  private refused(name: string, refusal: Problem): void {
    const topic = this.topics.get(name);
    if (!topic) return;
    topic.table = new LiveTable(); // of what is not followed no rows are true
    topic.view = { ...EMPTY, refusal };
    topic.listeners.forEach((listener) => listener());
    this.look();
  }

  private doubt(name: string, trouble: Trouble | null): void {
    const topic = this.topics.get(name);
    if (!topic) return;
    topic.view = { ...topic.view, trouble };
    this.mark(name);
  }

  private mark(name: string): void {
    this.changed.add(name);
    this.frame ||= requestAnimationFrame(() => this.flush());
  }

  private flush(): void {
    this.frame = 0;
    for (const name of this.changed) {
      const topic = this.topics.get(name);
      if (!topic) continue;
      topic.view = { ...topic.view, rows: topic.table.rows, isWhole: topic.table.isWhole };
      topic.listeners.forEach((listener) => listener());
    }
    this.changed.clear();
    this.look();
  }

  /** Live only where something came lately, the desk is heard by who sends it, and all that is looked at is true. */
  private look(): void {
    const socket = this.socket;
    if (!socket) return;
    const silence = Date.now() - this.heardAt;
    if (silence >= DEAD_MS) {
      this.ended(0); // its own end may be told minutes later, of a machine that is gone
      return socket.close();
    }
    if (!this.hears) return;
    const troubles = this.troubles();
    if (silence >= SILENT_MS || this.hears !== "fresh") this.say({ state: "stale", troubles });
    else this.say({ state: troubles.length ? "partly" : "live", freshAt: this.heardAt, troubles });
  }

  /** What nobody looks at troubles nobody, and what is filled for the first time is seen to be coming. */
  private troubles(): readonly Trouble[] {
    const found: Trouble[] = [];
    for (const { view, listeners } of this.topics.values()) {
      if (view.trouble && listeners.size && (view.isWhole || view.trouble.state === "failing")) found.push(view.trouble);
    }
    const before = this.status.troubles;
    return found.length === before.length && found.every((one, at) => one === before[at]) ? before : found;
  }

  private say(change: Partial<Status>): void {
    const before = this.status;
    this.status = { ...before, ...change };
    const { state, instance, isFull, troubles } = this.status;
    if (before.state === state && before.instance === instance && before.isFull === isFull && before.troubles === troubles) return;
    this.statusListeners.forEach((listener) => listener());
  }

  private send(op: "subscribe" | "unsubscribe", topics: { topic: string }[]): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ op, topics }));
  }
}
