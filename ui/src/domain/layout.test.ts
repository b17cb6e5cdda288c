// Screen arithmetic.
import { expect, test } from 'vitest';
import { clamp, panBy, rowWindow, scrollHeight, scrollOffset, scrollTopFor, ticks, zoomBy } from './layout';

test('rows on screen, with some to spare, never outside', () => {
  expect(rowWindow(0, 100, 1000, 28, 1)).toEqual({ first: 0, last: 5 });
  expect(rowWindow(2800, 100, 1000, 28, 1)).toEqual({ first: 99, last: 105 });
  expect(rowWindow(99_999, 100, 10, 28, 1)).toEqual({ first: 10, last: 10 });
});

test('a million rows scroll proportionally, both ends reachable', () => {
  const [rows, height, viewport] = [1_000_000, 28, 600];
  expect(scrollHeight(rows, height)).toBeLessThan(17_000_000);
  expect(scrollOffset(0, viewport, rows, height)).toBe(0);
  const bottom = scrollHeight(rows, height) - viewport;
  expect(scrollOffset(bottom, viewport, rows, height)).toBeCloseTo(rows * height - viewport, 3);
  const offset = 12_345_678;
  expect(scrollOffset(scrollTopFor(offset, viewport, rows, height), viewport, rows, height)).toBeCloseTo(
    offset,
    3,
  );
});

test('ticks are round and inside', () => {
  expect(ticks({ from: 0, to: 100 }, 5)).toEqual([0, 20, 40, 60, 80, 100]);
  expect(ticks({ from: 13, to: 27 }, 3)).toEqual([15, 20, 25]);
  expect(ticks({ from: 5, to: 5 }, 3)).toEqual([]);
});

test('zoom stays inside and keeps the point under the pointer', () => {
  const whole = { from: 0, to: 100 };
  expect(zoomBy(whole, whole, 0.5, 20)).toEqual({ from: 10, to: 60 });
  expect(zoomBy({ from: 10, to: 60 }, whole, 4, 20)).toEqual(whole);
  expect(panBy({ from: 80, to: 100 }, whole, 0.5)).toEqual({ from: 80, to: 100 });
  expect(clamp({ from: 50, to: 50 }, whole).to).toBeGreaterThan(50);
});
