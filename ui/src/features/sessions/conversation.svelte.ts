// One open conversation: its totals, its turns and their calls of models; asked for again as it goes on.
import { Again } from '../../api/again';
import { api, ApiError } from '../../api/client';
import type { ConversationDetail, ModelCall, TraceSummary } from '../../api/types';
import { isSilent } from '../../domain/sessions';
import { Bodies } from '../trace/bodies.svelte';

const CALLS = 200;
export const MOST_CALLS = 1000;
/** Reading a whole conversation costs: however much arrives, it is asked for again at most so often. */
const REFRESH_MS = 5000;

export class OpenConversation {
  detail = $state.raw<ConversationDetail | null>(null);
  calls = $state.raw<ModelCall[]>([]);
  allCalls = $state(true);
  /** How many calls are asked for. */
  asked = $state(CALLS);
  error = $state.raw<unknown>(null);
  missing = $derived(this.error instanceof ApiError && this.error.status === 404);
  /** Of the traces that have calls which tell nothing. */
  bodies = $state.raw<Record<string, Bodies>>({});
  #loads = 0;
  #loading = false;
  #again = new Again(() => (this.#loading ? this.#refresh() : void this.load()));

  constructor(readonly id: string) {}

  /** The newest load is the one that counts. */
  async load(): Promise<void> {
    const number = ++this.#loads;
    this.#loading = true;
    try {
      const [detail, told] = await Promise.all([api.conversation(this.id), api.calls(this.id, this.asked)]);
      if (number !== this.#loads) return;
      this.detail = detail;
      this.calls = told.calls;
      this.allCalls = told.complete;
      this.bodies = this.#bodiesOf(told.calls);
      this.error = null;
    } catch (error) {
      if (number === this.#loads) this.error = error;
    } finally {
      if (number === this.#loads) this.#loading = false;
    }
  }

  loadMore(): void {
    this.asked = MOST_CALLS;
    void this.load();
  }

  /** Takes in what the event stream told; a turn may be among those that it only counted. */
  arrived(traces: TraceSummary[], more: number): void {
    const turns = new Set(this.detail?.turns.map(({ traceId }) => traceId));
    const ours = (trace: TraceSummary) => trace.conversation === this.id || turns.has(trace.traceId);
    if (more > 0 || traces.some(ours)) this.#refresh();
  }

  close(): void {
    this.#again.cancel();
  }

  #refresh(): void {
    this.#again.after(REFRESH_MS);
  }

  #bodiesOf(calls: ModelCall[]): Record<string, Bodies> {
    const bodies: Record<string, Bodies> = {};
    for (const { traceId } of calls.filter(isSilent))
      bodies[traceId] ??= this.bodies[traceId] ?? new Bodies(traceId);
    for (const known of Object.values(bodies)) known.forgetUnfinished();
    return bodies;
  }
}
