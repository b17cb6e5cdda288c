// Turns in order, bars that compare.
import { expect, test } from 'vitest';
import type { ModelCall, TraceSummary } from '../api/types';
import { byLast, formatMeasure, isSilent, sessionEntries, shares, turnsOf } from './sessions';

const trace = (traceId: string, changes: Partial<TraceSummary> = {}) =>
  ({
    traceId,
    duration: '2000000',
    cost: 0.5,
    inputTokens: '100',
    outputTokens: '20',
    unpricedModels: [],
    ...changes,
  }) as TraceSummary;
const call = (traceId: string, spanId: string, changes: Partial<ModelCall> = {}) =>
  ({ traceId, spanId, newInput: [], output: null, ...changes }) as ModelCall;

test('calls stand below the turn they are of', () => {
  const turns = turnsOf(
    [trace('a'), trace('b')],
    [call('b', '1'), call('a', '2'), call('b', '3'), call('c', '4')],
  );
  expect(sessionEntries(turns).map(({ turn, call }) => `${turn.number}${call ? call.spanId : ''}`)).toEqual([
    '1',
    '12',
    '2',
    '21',
    '23',
  ]);
  expect(turnsOf([trace('a'), trace('b')], [], 9).map(({ number }) => number)).toEqual([8, 9]);
});

test.each([
  ['cost', [0.5, 1, null, 0], '$0.250'],
  ['duration', [0.25, 1, 0.5, 0.5], '1 ms'],
  ['tokens', [1, 1, null, 1], '120 tokens'],
] as const)('bars of %s', (measure, expected, first) => {
  const traces = [
    trace('a', { cost: 0.25, duration: '1000000' }),
    trace('b', { duration: '4000000' }),
    trace('c', { cost: null, inputTokens: '0', outputTokens: '0' }),
    trace('d', { cost: 0 }),
  ];
  expect(shares(traces, measure)).toEqual(expected);
  expect(formatMeasure(traces[0], measure)).toBe(first);
});

test('the last active comes first', () => {
  const conversations = ['9', '1000', '100', '1000'].map((last) => ({ last }));
  expect(byLast(conversations).map(({ last }) => last)).toEqual(['1000', '1000', '100', '9']);
});

test('a call is silent when neither side was recorded', () => {
  expect(isSilent(call('a', '1'))).toBe(false);
  expect(isSilent(call('a', '1', { newInput: null }))).toBe(true);
});
