// Span bodies, asked for only when something shows them: many at once, each once.
import { api } from '../../api/client';
import type { Span } from '../../api/types';

const MOST_AT_ONCE = 50;
const KEPT = 600;

export class Bodies {
  #spans = new Map<string, Span>();
  #wanted = new Set<string>();
  #asked = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** Grows with every answer; reading it makes the reader follow. */
  version = $state(0);
  error = $state.raw<unknown>(null);

  constructor(readonly trace: string) {}

  /** The span where it is here already; asks for it otherwise. */
  get(id: string): Span | null {
    void this.version;
    return this.#spans.get(id) ?? null;
  }

  want(ids: string[]): void {
    for (const id of ids) if (!this.#spans.has(id) && !this.#asked.has(id)) this.#wanted.add(id);
    if (this.#wanted.size > 0 && this.#timer === null) this.#timer = setTimeout(() => void this.#fetch(), 10);
  }

  retry(): void {
    this.error = null;
    this.want([...this.#wanted]);
  }

  /** After late spans: what was still running may have an end now. */
  forgetUnfinished(): void {
    for (const [id, span] of this.#spans)
      if (span.end === null || span.duration === null) this.#spans.delete(id);
    this.version += 1;
  }

  async #fetch(): Promise<void> {
    this.#timer = null;
    const ids = [...this.#wanted].slice(0, MOST_AT_ONCE);
    for (const id of ids) {
      this.#wanted.delete(id);
      this.#asked.add(id);
    }
    if (this.#wanted.size > 0) this.#timer = setTimeout(() => void this.#fetch(), 10);
    try {
      const spans =
        ids.length === 1 ? [await api.span(this.trace, ids[0])] : await api.spans(this.trace, ids);
      for (const span of spans) this.#keep(span);
      this.error = null;
    } catch (error) {
      this.error = error;
      for (const id of ids) this.#wanted.add(id);
    } finally {
      for (const id of ids) this.#asked.delete(id);
      this.version += 1;
    }
  }

  #keep(span: Span): void {
    this.#spans.set(span.spanId, span);
    const oldest = this.#spans.keys().next();
    if (this.#spans.size > KEPT && !oldest.done) this.#spans.delete(oldest.value);
  }
}
