// What a list does with what arrives while it is looked at.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { TraceSummary } from '../../api/types';
import { Search } from './search.svelte';

const trace = (number: number, changes: Partial<TraceSummary> = {}) =>
  ({
    traceId: `t${number}`,
    start: String(1_700_000_000_000_000_000n + BigInt(number)),
    spans: 1,
    ...changes,
  }) as TraceSummary;
const page = (traces: TraceSummary[], cursor: string | null = null) => ({
  traces,
  cursor,
  complete: true,
  incompleteReason: null,
  elapsedMs: 1,
});

let asked: URL[];
let answers: ReturnType<typeof page>[];

beforeEach(() => {
  asked = [];
  answers = [];
  vi.stubGlobal('fetch', async (path: string) => {
    asked.push(new URL(path, 'http://clew.test'));
    return Response.json(answers.shift() ?? page([]));
  });
});
afterEach(() => vi.unstubAllGlobals());

const ids = (search: Search) => search.rows.map((row) => row.traceId);

async function loaded(...first: ReturnType<typeof page>[]): Promise<Search> {
  answers.push(...first);
  const search = new Search('', { from: null, to: null }, true);
  await search.run();
  return search;
}

test('the automatic hour widens to all of time when it is empty', async () => {
  const search = await loaded(page([]), page([trace(1)]));
  expect(asked.map((url) => url.searchParams.get('from'))).toEqual(['now-1h', null]);
  expect(search.widened).toBe(true);
  expect(ids(search)).toEqual(['t1']);
});

test('new ones come on top, known ones change in place', async () => {
  const search = await loaded(page([trace(2), trace(1)]));
  search.arrived([trace(3), trace(1, { spans: 9 })], 0, false);
  expect(ids(search)).toEqual(['t3', 't2', 't1']);
  expect(search.rows[2].spans).toBe(9);
});

test('while held, new ones wait and known ones still change', async () => {
  const search = await loaded(page([trace(1)]));
  search.arrived([trace(2), trace(1, { spans: 5 })], 0, true);
  search.arrived([trace(2, { spans: 7 }), trace(3)], 0, true);
  expect(ids(search)).toEqual(['t1']);
  expect(search.rows[0].spans).toBe(5);
  expect(search.held.map((row) => row.traceId)).toEqual(['t3', 't2']);
  search.release();
  expect(ids(search)).toEqual(['t3', 't2', 't1']);
  expect(search.rows[1].spans).toBe(7);
});

test('pages follow by cursor, without repeats', async () => {
  const search = await loaded(page([trace(9), trace(8)], 'next'));
  answers.push(page([trace(8), trace(7)]));
  await search.more();
  expect(asked[1].searchParams.get('cursor')).toBe('next');
  expect(ids(search)).toEqual(['t9', 't8', 't7']);
  expect(search.hasMore).toBe(false);
});

test('a list that grows for days stays bounded, and its rest can be had again', async () => {
  const search = await loaded(page([trace(0)]));
  for (let number = 1; number <= 2000; number += 1) search.arrived([trace(number)], 0, false);
  expect(search.rows.length).toBe(1000);
  expect(search.hasMore).toBe(true);
  answers.push(page([trace(1001), trace(1000)], 'on'));
  await search.more();
  expect(asked[1].searchParams.get('to')).toBe(trace(1001).start);
  expect(ids(search).slice(-2)).toEqual(['t1001', 't1000']);
  expect(search.cursor).toBe('on');
});

test('a failure is kept for a retry', async () => {
  const search = await loaded(page([trace(2)], 'next'));
  vi.stubGlobal('fetch', async () =>
    Response.json({ error: { kind: 'busy', message: 'Try later' } }, { status: 429 }),
  );
  await search.more();
  expect(search.error).toMatchObject({ message: 'Try later', kind: 'busy', status: 429 });
  expect(ids(search)).toEqual(['t2']);
});
