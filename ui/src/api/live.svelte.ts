// What the server says as it happens: one event stream for the whole page.
import { api } from './client';
import type { ReceiverEvent, ServerStatus, TraceSummary } from './types';

const KEPT_EVENTS = 50;
const KEPT_RATES = 60;

type TraceListener = (traces: TraceSummary[], more: number) => void;

class Live {
  status = $state.raw<ServerStatus | null>(null);
  events = $state.raw<ReceiverEvent[]>([]);
  /** Spans per second, oldest first, as the statistics came in. */
  rates = $state.raw<number[]>([]);
  connected = $state(false);
  /** Set once the first connection failed or was lost, until it is back. */
  lost = $state(false);
  #listeners = new Set<TraceListener>();

  start(): void {
    const source = new EventSource('/api/v1/live');
    source.addEventListener('open', () => this.#opened());
    source.addEventListener('error', () => this.#failed(source));
    source.addEventListener('stats', (event) => this.#stats(JSON.parse(event.data)));
    source.addEventListener('receiver.event', (event) => this.#received(JSON.parse(event.data).events));
    source.addEventListener('trace.upsert', (event) => {
      const { traces, more } = JSON.parse(event.data);
      for (const listener of this.#listeners) listener(traces, more);
    });
    void this.refresh();
  }

  async refresh(): Promise<void> {
    try {
      this.#stats(await api.status());
    } catch {
      this.lost = true;
    }
  }

  /** Returns how to stop listening. */
  onTraces(listener: TraceListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #opened(): void {
    if (this.lost) void this.refresh();
    this.connected = true;
    this.lost = false;
  }

  #failed(source: EventSource): void {
    this.connected = false;
    this.lost = true;
    // The browser retries by itself unless the server answered with an error.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => this.start(), 3000);
  }

  #stats(update: Partial<ServerStatus>): void {
    const status = { ...this.status, ...update } as ServerStatus;
    if (update.events) this.#merge(update.events);
    this.status = status;
    this.rates = [...this.rates, status.spansPerSecond ?? 0].slice(-KEPT_RATES);
  }

  #received(events: ReceiverEvent[]): void {
    this.#merge(events);
  }

  #merge(events: ReceiverEvent[]): void {
    const known = new Set(this.events.map(identity));
    const fresh = events.filter((event) => !known.has(identity(event)));
    if (fresh.length === 0) return;
    const all = [...fresh, ...this.events].sort((a, b) => (BigInt(a.time) < BigInt(b.time) ? 1 : -1));
    this.events = all.slice(0, KEPT_EVENTS);
  }
}

function identity(event: ReceiverEvent): string {
  return `${event.time} ${event.summary}`;
}

export const live = new Live();
