// The conversations of a range of time, the last active first. Kept per history entry, so that Back finds them as they were.
import { Again } from '../../api/again';
import { api } from '../../api/client';
import type { Conversation } from '../../api/types';
import { byLast } from '../../domain/sessions';
import type { Range } from '../../domain/time';

const MOST = 1000;
const KEPT = 10;
const AUTO_FROM = 'now-1h';
/** Counting conversations reads many spans: however much arrives, they are asked for again at most so often. */
const REFRESH_MS = 5000;

export class ConversationList {
  rows = $state.raw<Conversation[]>([]);
  loaded = $state(false);
  error = $state.raw<unknown>(null);
  incomplete = $state<string | null>(null);
  /** The automatic hour was empty, so that all of time is shown. */
  widened = $state(false);
  scrollTop = 0;
  readonly auto: boolean;
  #again = new Again(() => void this.load());

  constructor(readonly range: Range) {
    this.auto = !range.from && !range.to;
  }

  async load(): Promise<void> {
    try {
      let page = await this.#ask();
      if (this.auto && !this.widened && page.conversations.length === 0) {
        this.widened = true;
        page = await this.#ask();
      }
      this.rows = byLast(page.conversations);
      this.incomplete = page.complete ? null : (page.incompleteReason ?? 'a limit was reached');
      if (page.conversations.length === MOST) this.incomplete ??= `the ${MOST} with the most spans`;
      this.error = null;
      this.loaded = true;
    } catch (error) {
      this.error = error;
    }
  }

  changed(): void {
    if (this.loaded) this.#again.after(REFRESH_MS);
  }

  close(): void {
    this.#again.cancel();
  }

  #ask() {
    const from = this.auto ? (this.widened ? null : AUTO_FROM) : this.range.from;
    return api.conversations({ from, to: this.range.to, limit: MOST });
  }
}

const kept = new Map<string, ConversationList>();

export function conversationsFor(entry: string, range: Range): ConversationList {
  const key = JSON.stringify([entry, range]);
  let list = kept.get(key);
  if (!list) {
    list = new ConversationList(range);
    void list.load();
    kept.set(key, list);
    const oldest = kept.keys().next();
    if (kept.size > KEPT && !oldest.done) kept.delete(oldest.value);
  }
  return list;
}
