// The shape of a trace over its columns: subtrees, what is shown, where errors are. Rows are depth-first.
import { FLAG, STATUS_ERROR, type Skeleton } from './skeleton';

export interface Tree {
  /** Spans in the subtree, the row included. */
  size: Uint32Array;
  children: Uint32Array;
  /** Errors in the subtree, the row excluded. */
  errorsBelow: Uint32Array;
  errors: number;
  running: number;
  maxDepth: number;
}

/** A parent always comes before its children; anything else (a broken answer) counts as a root. */
export function parentOf(skeleton: Skeleton, row: number): number {
  const parent = skeleton.parent[row];
  return parent < row ? parent : -1;
}

export function buildTree(skeleton: Skeleton): Tree {
  const n = skeleton.count;
  const size = new Uint32Array(n).fill(1);
  const children = new Uint32Array(n);
  const errorsBelow = new Uint32Array(n);
  let errors = 0;
  let running = 0;
  let maxDepth = 0;
  for (let row = n - 1; row >= 0; row -= 1) {
    const failed = isError(skeleton, row) ? 1 : 0;
    errors += failed;
    running += skeleton.flags[row] & FLAG.running ? 1 : 0;
    maxDepth = Math.max(maxDepth, skeleton.depth[row]);
    const parent = parentOf(skeleton, row);
    if (parent < 0) continue;
    size[parent] += size[row];
    children[parent] += 1;
    errorsBelow[parent] += errorsBelow[row] + failed;
  }
  return { size, children, errorsBelow, errors, running, maxDepth };
}

export function isError(skeleton: Skeleton, row: number): boolean {
  return skeleton.status[row] === STATUS_ERROR;
}

/** The rows on show, given which are folded. */
export function visibleRows(tree: Tree, collapsed: Uint8Array): Uint32Array {
  const n = tree.size.length;
  const rows = new Uint32Array(n);
  let count = 0;
  for (let row = 0; row < n;) {
    rows[count] = row;
    count += 1;
    row += collapsed[row] ? tree.size[row] : 1;
  }
  return rows.subarray(0, count);
}

/** Where a row is among the visible ones (they ascend), or -1. */
export function indexOfRow(rows: Uint32Array, row: number): number {
  let low = 0;
  let high = rows.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (rows[middle] === row) return middle;
    if (rows[middle] < row) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** Unfolds whatever hides a row. */
export function reveal(skeleton: Skeleton, collapsed: Uint8Array, row: number): boolean {
  let changed = false;
  for (let above = parentOf(skeleton, row); above >= 0; above = parentOf(skeleton, above)) {
    if (collapsed[above]) {
      collapsed[above] = 0;
      changed = true;
    }
  }
  return changed;
}

/** Position among its siblings, and how many there are: for assistive technology. */
export function siblings(skeleton: Skeleton, tree: Tree, row: number): { position: number; of: number } {
  const parent = parentOf(skeleton, row);
  if (parent < 0) return rootSiblings(skeleton, tree, row);
  let position = 1;
  for (let sibling = parent + 1; sibling < row; sibling += tree.size[sibling]) position += 1;
  return { position, of: tree.children[parent] };
}

function rootSiblings(skeleton: Skeleton, tree: Tree, row: number): { position: number; of: number } {
  let position = 1;
  let of = 0;
  for (let root = 0; root < skeleton.count; root += tree.size[root]) {
    of += 1;
    if (root < row) position += 1;
  }
  return { position, of };
}

/** The next row, round the end, for which `test` holds; -1 where none does. */
export function nextRow(count: number, from: number, step: 1 | -1, test: (row: number) => boolean): number {
  for (let seen = 0, row = from; seen < count; seen += 1) {
    row = (row + step + count) % count;
    if (test(row)) return row;
  }
  return -1;
}

/** Which rows hold the text in name, subject, agent or service. One look per distinct string. */
export function findRows(skeleton: Skeleton, text: string): Uint8Array {
  const needle = text.trim().toLowerCase();
  const found = new Uint8Array(skeleton.count);
  if (!needle) return found;
  const hits = (table: string[]) =>
    Uint8Array.from(table, (entry) => (entry.toLowerCase().includes(needle) ? 1 : 0));
  const names = hits(skeleton.names);
  const subjects = hits(skeleton.subjects);
  const agents = hits(skeleton.agents);
  const services = hits(skeleton.services);
  for (let row = 0; row < skeleton.count; row += 1) {
    found[row] =
      names[skeleton.name[row]] |
      subjects[skeleton.subject[row]] |
      agents[skeleton.agent[row]] |
      services[skeleton.service[row]];
  }
  return found;
}

/** Folds or unfolds everything below a depth. */
export function collapseFrom(skeleton: Skeleton, tree: Tree, depth: number): Uint8Array {
  const collapsed = new Uint8Array(skeleton.count);
  for (let row = 0; row < skeleton.count; row += 1) {
    if (skeleton.depth[row] >= depth && tree.children[row] > 0) collapsed[row] = 1;
  }
  return collapsed;
}

/** Carries what was folded over to a newer skeleton of the same trace. */
export function carryCollapsed(from: Skeleton, collapsed: Uint8Array, to: Skeleton): Uint8Array {
  const folded = new Set<number>();
  for (let row = 0; row < from.count; row += 1) if (collapsed[row]) folded.add(idKey(from, row));
  const carried = new Uint8Array(to.count);
  if (folded.size === 0) return carried;
  for (let row = 0; row < to.count; row += 1) if (folded.has(idKey(to, row))) carried[row] = 1;
  return carried;
}

/** 53 bits of a span id: enough to tell folded rows apart. */
function idKey(skeleton: Skeleton, row: number): number {
  return (skeleton.id[2 * row] & 0x1fffff) * 0x1_0000_0000 + skeleton.id[2 * row + 1];
}
