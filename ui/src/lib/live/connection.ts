import { LiveTable, type Told } from "./table";

/** How the live connection is: `stale` is open, but the desk is not heard, or nothing has come for a while. */
export type LiveState = "connecting" | "live" | "stale" | "lost";

export interface Refusal {
  code: string;
  detail: string;
}

/** A topic as components see it; a new object whenever its rows are others. */
export interface TopicView {
  rows: ReadonlyMap<string, unknown>;
  isWhole: boolean;
  refusal: Refusal | null;
}

export interface Status {
  state: LiveState;
  /** When we last heard that what is shown is up to date, in milliseconds; 0: never. */
  freshAt: number;
  /** The management instance at the other end. */
  instance: string;
}

const SILENT_MS = 3_000;
const LOOK_MS = 500;
const LINGER_MS = 5_000;
const AGAIN_MS = [250, 500, 1_000, 2_000, 4_000];
const SIGNED_OUT = 4401;
const EMPTY: TopicView = { rows: new Map(), isWhole: false, refusal: null };

interface Topic {
  table: LiveTable;
  view: TopicView;
  listeners: Set<() => void>;
}

/** The one WebSocket of this tab, and the tables that it keeps. Listeners are told at most once a frame. */
export class LiveConnection {
  status: Status = { state: "connecting", freshAt: 0, instance: "" };
  private readonly topics = new Map<string, Topic>();
  private readonly statusListeners = new Set<() => void>();
  private readonly changed = new Set<string>();
  private socket: WebSocket | null = null;
  private failures = 0;
  private heardAt = 0;
  private hears = "fresh";
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
    return () => {
      topic.listeners.delete(listener);
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
    socket.onopen = () => {
      this.failures = 0;
      const wanted = [...this.topics].map(([name, topic]) => topic.table.wanted(name));
      if (wanted.length) this.send("subscribe", wanted);
    };
    socket.onmessage = (event: MessageEvent<string>) => this.take(event.data);
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      this.socket = null;
      for (const topic of this.topics.values()) topic.table.cut();
      if (event.code === SIGNED_OUT || this.failures > 0) this.onRefused();
      const wait = AGAIN_MS[Math.min(this.failures, AGAIN_MS.length - 1)]!;
      this.failures += 1;
      this.again = setTimeout(() => this.connect(), wait * (0.75 + Math.random() / 2));
      this.say({ state: "lost" });
    };
  }

  private take(text: string): void {
    const message = JSON.parse(text) as Told | { type: "hello" | "alive" | "refused" | "state" } & Record<string, string>;
    this.heardAt = Date.now();
    switch (message.type) {
      case "hello":
        return this.say({ instance: message.instance });
      case "alive":
        this.hears = message.hears ?? "fresh";
        return this.look();
      case "refused":
        return this.refused(message.topic ?? "", { code: message.code ?? "", detail: message.detail ?? "" });
      case "state":
        return; // how true the topic's rows are
      default: {
        const topic = this.topics.get(message.topic);
        if (topic?.table.take(message as Told)) this.mark(message.topic);
      }
    }
  }

  private refused(name: string, refusal: Refusal): void {
    const topic = this.topics.get(name);
    if (!topic) return;
    topic.view = { ...topic.view, refusal };
    topic.listeners.forEach((listener) => listener());
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
      topic.view = { rows: topic.table.rows, isWhole: topic.table.isWhole, refusal: null };
      topic.listeners.forEach((listener) => listener());
    }
    this.changed.clear();
  }

  /** Live only where something came lately, and the desk is heard by who sends it. */
  private look(): void {
    if (!this.socket || this.socket.readyState !== WebSocket.OPEN || !this.heardAt) return;
    const isFresh = Date.now() - this.heardAt < SILENT_MS && this.hears === "fresh";
    this.say(isFresh ? { state: "live", freshAt: this.heardAt } : { state: "stale" });
  }

  private say(change: Partial<Status>): void {
    const before = this.status;
    this.status = { ...before, ...change };
    if (before.state === this.status.state && before.instance === this.status.instance) return;
    this.statusListeners.forEach((listener) => listener());
  }

  private send(op: "subscribe" | "unsubscribe", topics: { topic: string }[]): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ op, topics }));
  }
}
