// One search: its rows, its pages, what arrives live. Kept per history entry, so that Back finds it as it was.
import { api } from '../../api/client';
import type { TraceSummary } from '../../api/types';
import type { Range } from '../../domain/time';

const PAGE = 50;
const KEPT = 20;
/** A filtered list is asked for again at most so often, however much arrives. */
const REFRESH_MS = 500;
/** A tab that stays open for days keeps no more rows than these; scrolling down asks for the rest again. */
const MOST_LIVE_ROWS = 2000;
const LEFT_ROWS = 1000;
const AUTO_FROM = 'now-1h';

export class Search {
  rows = $state.raw<TraceSummary[]>([]);
  /** New ones held back while the user looks or scrolls. */
  held = $state.raw<TraceSummary[]>([]);
  cursor = $state<string | null>(null);
  loading = $state(false);
  loaded = $state(false);
  error = $state.raw<unknown>(null);
  incomplete = $state<string | null>(null);
  elapsed = $state(0);
  /** The automatic hour was empty, so that all of time is shown. */
  widened = $state(false);
  scrollTop = 0;
  /** Where the rest starts after rows were dropped: the start of the last row left. */
  #rest = $state<string | null>(null);
  #heldTooMany = false;
  #refreshing = false;
  #refreshAgain = false;

  constructor(
    readonly q: string,
    readonly range: Range,
    readonly auto: boolean,
  ) {}

  get #request() {
    const from = this.auto ? (this.widened ? null : AUTO_FROM) : this.range.from;
    return { q: this.q, from, to: this.range.to, limit: PAGE };
  }

  async run(): Promise<void> {
    this.loading = true;
    this.error = null;
    try {
      let page = await api.traces(this.#request);
      if (this.auto && !this.widened && page.traces.length === 0) {
        this.widened = true;
        page = await api.traces(this.#request);
      }
      this.rows = page.traces;
      this.held = [];
      this.#heldTooMany = false;
      this.#rest = null;
      this.cursor = page.cursor;
      this.incomplete = page.complete ? null : (page.incompleteReason ?? 'a limit was reached');
      this.elapsed = page.elapsedMs;
      this.loaded = true;
    } catch (error) {
      this.error = error;
    } finally {
      this.loading = false;
    }
  }

  async more(): Promise<void> {
    if (this.loading || this.error || !this.hasMore) return;
    this.loading = true;
    try {
      const from = this.#rest === null ? { cursor: this.cursor } : { to: this.#rest };
      const page = await api.traces({ ...this.#request, ...from });
      this.#rest = null;
      const known = new Set(this.rows.map((row) => row.traceId));
      this.rows = [...this.rows, ...page.traces.filter((row) => !known.has(row.traceId))];
      this.cursor = page.cursor;
      if (!page.complete) this.incomplete = page.incompleteReason ?? 'a limit was reached';
    } catch (error) {
      this.error = error;
    } finally {
      this.loading = false;
    }
  }

  get hasMore(): boolean {
    return this.cursor !== null || this.#rest !== null;
  }

  retry(): void {
    this.error = null;
    void (this.loaded ? this.more() : this.run());
  }

  /** Takes in what the event stream told. A filtered list asks the server what matches. */
  arrived(traces: TraceSummary[], more: number, hold: boolean): void {
    if (!this.loaded) return;
    if (this.q || more > 0) void this.#refresh(hold);
    else this.#merge(traces, hold);
  }

  release(): void {
    if (this.#heldTooMany) return void this.run();
    const held = this.held;
    this.held = [];
    this.#merge(held, false);
  }

  async #refresh(hold: boolean): Promise<void> {
    this.#refreshAgain = this.#refreshing;
    if (this.#refreshing) return;
    this.#refreshing = true;
    try {
      const page = await api.traces(this.#request);
      this.#merge(page.traces, hold);
    } catch {
      // The list stays as it was; the lost connection is said by the shell.
    } finally {
      setTimeout(() => {
        this.#refreshing = false;
        if (this.#refreshAgain) void this.#refresh(hold);
      }, REFRESH_MS);
    }
  }

  #merge(traces: TraceSummary[], hold: boolean): void {
    const update = new Map(traces.map((trace) => [trace.traceId, trace]));
    const take = (trace: TraceSummary) => {
      const fresh = update.get(trace.traceId);
      update.delete(trace.traceId);
      return fresh ?? trace;
    };
    const rows = this.rows.map(take);
    const held = this.held.map(take);
    const fresh = [...update.values()];
    if (hold) {
      this.rows = rows;
      this.held = newestFirst([...fresh, ...held]);
      if (this.held.length > MOST_LIVE_ROWS) {
        this.#heldTooMany = true;
        this.held = this.held.slice(0, MOST_LIVE_ROWS);
      }
    } else {
      this.rows = fresh.length > 0 ? newestFirst([...fresh, ...rows]) : rows;
      this.held = held;
      if (fresh.length > 0 && this.rows.length > MOST_LIVE_ROWS) this.#trim();
    }
  }

  #trim(): void {
    this.rows = this.rows.slice(0, LEFT_ROWS);
    this.cursor = null;
    this.#rest = this.rows[this.rows.length - 1].start;
  }
}

function newestFirst(traces: TraceSummary[]): TraceSummary[] {
  // Decimal strings of one length sort as numbers do.
  return traces.sort(
    (a, b) => b.start.length - a.start.length || (a.start < b.start ? 1 : a.start > b.start ? -1 : 0),
  );
}

const kept = new Map<string, Search>();

/** The search of a history entry: the one shown before, or a new one that starts at once. */
export function searchFor(entry: string, q: string, range: Range, auto: boolean): Search {
  const key = JSON.stringify([entry, q, range, auto]);
  let search = kept.get(key);
  if (!search) {
    search = new Search(q, range, auto);
    void search.run();
    kept.set(key, search);
    const oldest = kept.keys().next();
    if (kept.size > KEPT && !oldest.done) kept.delete(oldest.value);
  }
  return search;
}
