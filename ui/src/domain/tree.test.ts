// Trees over columns: random ones, deep ones, broken ones.
import { describe, expect, test } from 'vitest';
import { skeletonOf, type Row } from './fixtures';
import {
  buildTree,
  carryCollapsed,
  collapseFrom,
  findRows,
  indexOfRow,
  nextRow,
  reveal,
  siblings,
  visibleRows,
} from './tree';

/** 0 ─ 1 ─ 2, 3 · 0 ─ 4 · 5 (a second root) */
const SMALL: Row[] = [
  { parent: -1, name: 'root' },
  { parent: 0, name: 'agent', agent: 'Billing' },
  { parent: 1, name: 'tool', status: 2 },
  { parent: 1, name: 'llm', subject: 'gpt-4o' },
  { parent: 0, name: 'db' },
  { parent: -1, name: 'orphan', flags: 2 },
];

/** Random trees in depth-first order. */
function random(count: number, seed: number): Row[] {
  let state = seed;
  const next = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state % below;
  };
  const path: number[] = [];
  return Array.from({ length: count }, (_, row) => {
    path.length = next(path.length + 1);
    const parent = path[path.length - 1] ?? -1;
    path.push(row);
    return { parent, status: next(5) === 0 ? 2 : 0 };
  });
}

test('sizes, children and errors roll up', () => {
  const tree = buildTree(skeletonOf(SMALL));
  expect([...tree.size]).toEqual([5, 3, 1, 1, 1, 1]);
  expect([...tree.children]).toEqual([2, 2, 0, 0, 0, 0]);
  expect([...tree.errorsBelow]).toEqual([1, 1, 0, 0, 0, 0]);
  expect(tree.errors).toBe(1);
});

test('random trees agree with counting by hand', () => {
  for (let seed = 1; seed < 40; seed += 1) {
    const rows = random(60, seed);
    const skeleton = skeletonOf(rows);
    const tree = buildTree(skeleton);
    const isUnder = (row: number, top: number): boolean =>
      row === top || (row >= 0 && isUnder(rows[row].parent, top));
    rows.forEach((_, top) => {
      const below = rows.map((_, row) => row).filter((row) => isUnder(row, top));
      expect(tree.size[top]).toBe(below.length);
      expect(tree.errorsBelow[top]).toBe(below.filter((row) => row !== top && rows[row].status === 2).length);
      const place = siblings(skeleton, tree, top);
      const peers = rows.map((_, row) => row).filter((row) => rows[row].parent === rows[top].parent);
      expect(place).toEqual({ position: peers.indexOf(top) + 1, of: peers.length });
    });
  }
});

describe('folding', () => {
  const skeleton = skeletonOf(SMALL);
  const tree = buildTree(skeleton);

  test('hides subtrees and finds rows among the shown', () => {
    const collapsed = Uint8Array.from([0, 1, 0, 0, 0, 0]);
    const rows = visibleRows(tree, collapsed);
    expect([...rows]).toEqual([0, 1, 4, 5]);
    expect(indexOfRow(rows, 4)).toBe(2);
    expect(indexOfRow(rows, 2)).toBe(-1);
  });

  test('reveals a row by unfolding what is above it', () => {
    const collapsed = Uint8Array.from([1, 1, 0, 0, 0, 0]);
    expect(reveal(skeleton, collapsed, 3)).toBe(true);
    expect([...collapsed]).toEqual([0, 0, 0, 0, 0, 0]);
    expect(reveal(skeleton, collapsed, 3)).toBe(false);
  });

  test('folds from a depth', () => {
    expect([...visibleRows(tree, collapseFrom(skeleton, tree, 0))]).toEqual([0, 5]);
    expect([...visibleRows(tree, collapseFrom(skeleton, tree, 1))]).toEqual([0, 1, 4, 5]);
    expect([...visibleRows(tree, collapseFrom(skeleton, tree, Infinity))]).toHaveLength(6);
  });

  test('survives late spans', () => {
    const ids = (rows: Row[]) => rows.map((row, index) => ({ ...row, id: `00000000000000${10 + index}` }));
    const before = skeletonOf(ids(SMALL.slice(0, 3)));
    const after = skeletonOf([{ parent: -1, id: 'ffffffffffffffff' }, ...ids(SMALL.slice(0, 3))]);
    expect([...carryCollapsed(before, Uint8Array.from([0, 1, 0]), after)]).toEqual([0, 0, 1, 0]);
  });
});

test('finds text in names, subjects and agents whatever the case', () => {
  const skeleton = skeletonOf(SMALL);
  expect([...findRows(skeleton, 'BILL')]).toEqual([0, 1, 0, 0, 0, 0]);
  expect([...findRows(skeleton, 'gpt')]).toEqual([0, 0, 0, 1, 0, 0]);
  expect([...findRows(skeleton, '  ')]).toEqual([0, 0, 0, 0, 0, 0]);
});

test('steps round the end, both ways', () => {
  const hits = new Set([1, 4]);
  const test = (row: number) => hits.has(row);
  expect(nextRow(6, -1, 1, test)).toBe(1);
  expect(nextRow(6, 1, 1, test)).toBe(4);
  expect(nextRow(6, 4, 1, test)).toBe(1);
  expect(nextRow(6, 1, -1, test)).toBe(4);
  expect(nextRow(6, 0, 1, () => false)).toBe(-1);
});

test('ten thousand levels neither recurse nor take long', () => {
  const skeleton = skeletonOf(Array.from({ length: 10_000 }, (_, row) => ({ parent: row - 1 })));
  const tree = buildTree(skeleton);
  expect(tree.maxDepth).toBe(9_999);
  expect(tree.size[0]).toBe(10_000);
  expect(reveal(skeleton, new Uint8Array(10_000).fill(1), 9_999)).toBe(true);
});

test('a parent that does not come first counts as none', () => {
  const tree = buildTree(skeletonOf([{ parent: 1 }, { parent: 0 }, { parent: 2 }]));
  expect([...tree.size]).toEqual([2, 1, 1]);
});
