// One open trace: its skeleton, what is folded, selected, found, and which stretch of time is shown.
import { Again } from '../../api/again';
import { api, ApiError } from '../../api/client';
import type { TraceSummary } from '../../api/types';
import { oneLine } from '../../domain/format';
import { clamp, type Stretch } from '../../domain/layout';
import { decodeSkeleton, extent, FLAG, rowOf, spanId, type Skeleton } from '../../domain/skeleton';
import {
  buildTree,
  carryCollapsed,
  collapseFrom,
  findRows,
  indexOfRow,
  isError,
  nextRow,
  parentOf,
  reveal,
  visibleRows,
  type Tree,
} from '../../domain/tree';
import { Bodies } from './bodies.svelte';

const SHORTEST_WAIT = 100;
const LONGEST_WAIT = 5000;

export class OpenTrace {
  skeleton = $state.raw<Skeleton | null>(null);
  tree = $state.raw<Tree | null>(null);
  collapsed = $state.raw<Uint8Array>(new Uint8Array());
  rows = $state.raw<Uint32Array>(new Uint32Array());
  whole = $state.raw<Stretch>({ from: 0, to: 1 });
  zoom = $state.raw<Stretch>({ from: 0, to: 1 });
  selected = $state(-1);
  summary = $state.raw<TraceSummary | null>(null);
  error = $state.raw<unknown>(null);
  missing = $state(false);
  find = $state('');
  matches = $state.raw<Uint8Array | null>(null);
  matchCount = $state(0);
  /** Grows when a later skeleton came in. */
  revision = $state(0);
  readonly bodies: Bodies;
  #loading = false;
  #again = new Again(() => void this.load());
  #took = 0;

  constructor(readonly id: string) {
    this.bodies = new Bodies(id);
  }

  /** More of it has come; a trace that keeps growing is fetched again at a pace that its size allows. */
  changed(): void {
    this.#again.after(Math.min(LONGEST_WAIT, Math.max(SHORTEST_WAIT, 5 * this.#took)));
  }

  close(): void {
    this.#again.cancel();
  }

  async load(): Promise<void> {
    if (this.#loading) return this.changed();
    this.#loading = true;
    const asked = performance.now();
    try {
      const skeleton = decodeSkeleton(await api.skeleton(this.id));
      // Rows, labels and canvases show these; whatever hides or reorders text is spelled out once, here.
      for (const table of ['names', 'services', 'agents', 'subjects'] as const) {
        skeleton[table] = skeleton[table].map(oneLine);
      }
      this.#take(skeleton);
      // Only now: it must not take the server's time from what is painted first.
      void this.#loadSummary();
      this.error = null;
      this.missing = false;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) this.missing = true;
      else this.error = error;
    } finally {
      this.#loading = false;
      this.#took = performance.now() - asked;
    }
  }

  async #loadSummary(): Promise<void> {
    try {
      this.summary = await api.trace(this.id);
    } catch {
      // The skeleton's own failure is the one that is shown.
    }
  }

  #take(skeleton: Skeleton): void {
    const before = this.skeleton;
    const tree = buildTree(skeleton);
    const wasWhole = this.zoom.from === this.whole.from && this.zoom.to === this.whole.to;
    const kept = before && this.selected >= 0 ? spanId(before, this.selected) : null;
    this.collapsed = before
      ? carryCollapsed(before, this.collapsed, skeleton)
      : new Uint8Array(skeleton.count);
    this.whole = extent(skeleton);
    this.zoom = !before || wasWhole ? this.whole : clamp(this.zoom, this.whole);
    this.skeleton = skeleton;
    this.tree = tree;
    this.rows = visibleRows(tree, this.collapsed);
    if (kept) this.selected = rowOf(skeleton, kept);
    if (this.find) this.search(this.find);
    if (before) {
      this.revision += 1;
      this.bodies.forgetUnfinished();
    }
  }

  get selectedId(): string | null {
    return this.skeleton && this.selected >= 0 ? spanId(this.skeleton, this.selected) : null;
  }

  get index(): number {
    return indexOfRow(this.rows, this.selected);
  }

  select(row: number): void {
    if (!this.skeleton || row < 0 || row >= this.skeleton.count) return;
    const collapsed = this.collapsed.slice();
    if (reveal(this.skeleton, collapsed, row)) this.#fold(collapsed);
    this.selected = row;
  }

  selectId(id: string): void {
    if (this.skeleton) this.select(rowOf(this.skeleton, id));
  }

  moveTo(index: number): void {
    const row = this.rows[Math.max(0, Math.min(this.rows.length - 1, index))];
    if (row !== undefined) this.selected = row;
  }

  parent(row: number): number {
    return this.skeleton ? parentOf(this.skeleton, row) : -1;
  }

  toggle(row: number, folded = !this.collapsed[row]): void {
    if (!this.tree || this.tree.children[row] === 0) return;
    const collapsed = this.collapsed.slice();
    collapsed[row] = folded ? 1 : 0;
    this.#fold(collapsed);
  }

  foldFrom(depth: number): void {
    if (this.skeleton && this.tree) this.#fold(collapseFrom(this.skeleton, this.tree, depth));
  }

  /** The deepest level on show, for folding one level more or less. */
  get shownDepth(): number {
    let depth = 0;
    for (const row of this.rows) depth = Math.max(depth, this.skeleton?.depth[row] ?? 0);
    return depth;
  }

  #fold(collapsed: Uint8Array): void {
    if (!this.tree) return;
    this.collapsed = collapsed;
    this.rows = visibleRows(this.tree, collapsed);
    // A selection that went out of sight moves to what hides it.
    while (this.selected >= 0 && indexOfRow(this.rows, this.selected) < 0)
      this.selected = this.parent(this.selected);
  }

  search(text: string): void {
    this.find = text;
    this.matches = this.skeleton && text.trim() ? findRows(this.skeleton, text) : null;
    this.matchCount = this.matches ? this.matches.reduce((sum, hit) => sum + hit, 0) : 0;
  }

  next(step: 1 | -1, what: 'error' | 'match'): void {
    const { skeleton, matches } = this;
    if (!skeleton) return;
    const from = this.selected < 0 && step < 0 ? 0 : this.selected;
    const test =
      what === 'error' ? (row: number) => isError(skeleton, row) : (row: number) => matches?.[row] === 1;
    const row = nextRow(skeleton.count, from, step, test);
    if (row >= 0) this.select(row);
  }

  isRunning(row: number): boolean {
    return this.skeleton !== null && (this.skeleton.flags[row] & FLAG.running) !== 0;
  }
}
