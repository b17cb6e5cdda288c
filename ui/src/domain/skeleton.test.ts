// The byte format, and what broken bytes do.
import { expect, test } from 'vitest';
import { encodeSkeleton, skeletonOf } from './fixtures';
import { decodeSkeleton, extent, rowOf, SkeletonError, spanId } from './skeleton';

const rows = [
  { parent: -1, start: 0, duration: 100.125, name: 'root', id: '00f067aa0ba902b7', kind: 1 },
  {
    parent: 0,
    start: 10,
    duration: 20,
    name: 'child',
    agent: 'planner',
    subject: 'gpt-4o',
    id: 'ffffffff00000001',
  },
  { parent: 0, start: 40, duration: 80, name: 'root', id: '0000000000000003', status: 2 },
];

test('columns come back as they were written', () => {
  const skeleton = skeletonOf(rows);
  expect(skeleton.count).toBe(3);
  expect(skeleton.traceStart).toBe('1700000000000000001');
  expect(skeleton.duration[0]).toBe(100.125);
  expect(skeleton.names[skeleton.name[2]]).toBe('root');
  expect(skeleton.agents[skeleton.agent[1]]).toBe('planner');
  expect([...skeleton.depth]).toEqual([0, 1, 1]);
  expect(Number.isNaN(skeleton.cost[0])).toBe(true);
});

test('ids keep all 64 bits, both ways', () => {
  const skeleton = skeletonOf(rows);
  rows.forEach((row, index) => {
    expect(spanId(skeleton, index)).toBe(row.id);
    expect(rowOf(skeleton, row.id)).toBe(index);
  });
  expect(rowOf(skeleton, '1234567812345678')).toBe(-1);
  expect(rowOf(skeleton, 'not an id')).toBe(-1);
});

test('an odd number of rows keeps columns aligned', () => {
  for (const count of [0, 1, 2, 5, 7, 8]) {
    const skeleton = skeletonOf(
      Array.from({ length: count }, (_, index) => ({ parent: index - 1, status: index % 3 })),
    );
    expect([...skeleton.status]).toEqual(Array.from({ length: count }, (_, index) => index % 3));
  }
});

test('every cut answer is an error that says so', () => {
  const whole = encodeSkeleton(rows);
  for (let length = 0; length < whole.byteLength - 8; length += 8) {
    expect(() => decodeSkeleton(whole.slice(0, length))).toThrow(Error);
  }
  expect(() => decodeSkeleton(new ArrayBuffer(64))).toThrow(SkeletonError);
});

test('the extent holds children out of their parents, negative durations, and is never empty', () => {
  expect(extent(skeletonOf(rows))).toEqual({ from: 0, to: 120 });
  expect(extent(skeletonOf([{ parent: -1, start: 5, duration: -7 }]))).toEqual({ from: -2, to: 5 });
  expect(extent(skeletonOf([{ parent: -1, start: 3, duration: 0 }]))).toEqual({ from: 3, to: 4 });
  expect(extent(skeletonOf([]))).toEqual({ from: 0, to: 1 });
});
