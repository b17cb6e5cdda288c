// What is wrong with the traces of a range of time. Kept per history entry, so that Back finds it as it was.
import { Again } from '../../api/again';
import { api } from '../../api/client';
import type { FindingGroup, FindingKind } from '../../api/types';
import type { Range } from '../../domain/time';

const MOST = 200;
const KEPT = 10;
const AUTO_FROM = 'now-1h';
/** The report reads many spans: however much arrives, it is asked for again at most so often. */
const REFRESH_MS = 5000;

export const KINDS: { kind: FindingKind; label: string; one: string; about: string }[] = [
  {
    kind: 'brokenChain',
    label: 'Broken chains',
    one: 'Broken chain',
    about: 'messages that were received without the context of their sender, so that a new trace began',
  },
  {
    kind: 'suspiciousRoot',
    label: 'Suspicious roots',
    one: 'Suspicious root',
    about: 'spans that begin a trace where others like them have a parent: started from a fresh context',
  },
  {
    kind: 'orphan',
    label: 'Orphans',
    one: 'Orphan',
    about: 'spans whose parent never came, two minutes after the last span of their trace',
  },
  {
    kind: 'clockSkew',
    label: 'Clock skew',
    one: 'Clock skew',
    about: 'spans that start before their parent, which another service sent',
  },
];

export const kindOf = (text: string): FindingKind | null =>
  KINDS.find(({ kind }) => kind === text)?.kind ?? null;

export class FindingList {
  rows = $state.raw<FindingGroup[]>([]);
  totals = $state.raw<Partial<Record<FindingKind, number>>>({});
  spans = $state(0);
  loaded = $state(false);
  error = $state.raw<unknown>(null);
  incomplete = $state<string | null>(null);
  /** Nothing came within the automatic hour, so that all of time is looked at. */
  widened = $state(false);
  readonly auto: boolean;
  #again = new Again(() => void this.load());

  constructor(
    readonly kind: FindingKind | null,
    readonly range: Range,
  ) {
    this.auto = !range.from && !range.to;
  }

  async load(): Promise<void> {
    try {
      let page = await this.#ask();
      if (this.auto && !this.widened && page.spans === '0') {
        this.widened = true;
        page = await this.#ask();
      }
      this.rows = page.findings;
      this.totals = Object.fromEntries(KINDS.map(({ kind }) => [kind, Number(page.totals[kind])]));
      this.spans = Number(page.spans);
      this.incomplete = page.complete ? null : (page.incompleteReason ?? `the ${MOST} with the most spans`);
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
    return api.findings({ kind: this.kind, from, to: this.range.to, limit: MOST });
  }
}

const kept = new Map<string, FindingList>();

export function findingsFor(entry: string, kind: FindingKind | null, range: Range): FindingList {
  const key = JSON.stringify([entry, kind, range]);
  let list = kept.get(key);
  if (!list) {
    list = new FindingList(kind, range);
    void list.load();
    kept.set(key, list);
    const oldest = kept.keys().next();
    if (kept.size > KEPT && !oldest.done) kept.delete(oldest.value);
  }
  return list;
}
