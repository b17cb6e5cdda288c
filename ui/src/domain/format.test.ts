// What people read.
import { expect, test } from 'vitest';
import {
  formatBytes,
  formatCost,
  formatCount,
  formatDuration,
  formatNanoseconds,
  formatWorth,
  oneLine,
  visibleText,
} from './format';
import { absoluteTime, isTime, rangeLabel, relativeTime } from './time';

test.each([
  [0, '0'],
  [0.001, '1 ns'],
  [0.5, '500 ns'],
  [12.345, '12.3 µs'],
  [999.99, '1000 µs'],
  [1500, '1.5 ms'],
  [1_400_000, '1.4 s'],
  [61_000_000, '1 min 1 s'],
  [3_720_000_000, '1 h 2 min'],
  [90_000_000_000, '1 d 1 h'],
  [-300, '−300 µs'],
  [Number.NaN, '—'],
])('%d µs is %s', (microseconds, text) => {
  expect(formatDuration(microseconds)).toBe(text);
});

test('an unknown cost is never zero', () => {
  expect(formatCost(null)).toBe('—');
  expect(formatCost(Number.NaN)).toBe('—');
  expect(formatCost(0)).toBe('$0');
  expect(formatCost(0.00001)).toBe('<$0.0001');
  expect(formatCost(0.0052)).toBe('$0.0052');
  expect(formatCost(0.00996)).toBe('$0.010');
  expect(formatCost(1234.5)).toBe('$1,234.50');
});

test.each([
  [null, [], 'unknown'],
  [null, ['own-model'], 'unknown'],
  [0, [], '$0'],
  [0.25, [], '$0.250'],
  [0.25, ['own-model'], '≥ $0.250'],
])('%s with %j without a price', (cost, unpricedModels, text) => {
  expect(formatWorth({ cost, unpricedModels })).toBe(text);
});

test('counts and sizes', () => {
  expect(formatCount(9999)).toBe('9,999');
  expect(formatCount('123456')).toBe('123k');
  expect(formatCount('not')).toBe('—');
  expect(formatBytes(1536)).toBe('1.5 KiB');
  expect(formatNanoseconds(null)).toBe('—');
});

test('what hides or reorders text is spelled out', () => {
  expect(visibleText('a\u202Eb\u200Bc')).toBe('a⟨U+202E⟩b⟨U+200B⟩c');
  expect(visibleText('tab\tline\n')).toBe('tab\tline\n');
  expect(oneLine('  two \n lines\u0000 ')).toBe('two lines⟨U+0000⟩');
});

test('times keep every nanosecond', () => {
  expect(absoluteTime('1700000000123456789', 'utc')).toBe('2023-11-14 22:13:20.123456789 UTC');
  expect(relativeTime('1700000000000000000', 1_700_000_090_000)).toBe('1 min ago');
  expect(relativeTime('1700000000000000000', 1_699_999_000_000)).toBe('in the future');
});

test('ranges', () => {
  expect(rangeLabel({ from: 'now-1h', to: null })).toBe('Last hour');
  expect(rangeLabel({ from: 'now-3h', to: 'now' })).toBe('now-3h – now');
  expect(isTime('now-15m')).toBe(true);
  expect(isTime('2026-01-02T03:04:05Z')).toBe(true);
  expect(isTime('yesterday')).toBe(false);
});
