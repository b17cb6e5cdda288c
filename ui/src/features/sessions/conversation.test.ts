// What an open conversation does with what arrives.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { TraceSummary } from '../../api/types';
import { OpenConversation } from './conversation.svelte';

let asked: number;
const turns = [{ traceId: 't1' }];

beforeEach(() => {
  asked = 0;
  vi.useFakeTimers();
  vi.stubGlobal('fetch', async (path: string) => {
    if (path.includes('/calls')) return Response.json({ calls: [], complete: true });
    asked += 1;
    return Response.json({ turns, traces: 1 });
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const trace = (traceId: string, conversation: string | null) => ({ traceId, conversation }) as TraceSummary;

const TABLE = [
  { told: 'a new turn', traces: [trace('t2', 'support-7')], more: 0, again: 1 },
  { told: 'a turn that no longer tells its conversation', traces: [trace('t1', null)], more: 0, again: 1 },
  { told: 'traces that are only counted', traces: [], more: 3, again: 1 },
  { told: 'a turn of another', traces: [trace('t3', 'support-8')], more: 0, again: 0 },
];

test.each(TABLE)('$told: asked again $again times within 5 s', async ({ traces, more, again }) => {
  const open = new OpenConversation('support-7');
  await open.load();
  for (let arrival = 0; arrival < 10; arrival += 1) open.arrived(traces, more);
  await vi.advanceTimersByTimeAsync(4999);
  expect(asked).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(asked).toBe(1 + again);
  open.arrived(traces, more);
  open.close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toBe(1 + again);
});
