// A conversation over many traces: its turns with their calls in reading order, and how they compare.
import type { ModelCall, TraceSummary } from '../api/types';
import { formatCount, formatDuration, formatWorth } from './format';

export type Measure = 'cost' | 'duration' | 'tokens';

export interface Turn {
  /** Counted from 1 among all turns, told or not. */
  number: number;
  trace: TraceSummary;
  calls: ModelCall[];
}

/** What stands below each other on the page: a turn's heading, then its calls. */
export type SessionEntry = { turn: Turn; call: null } | { turn: Turn; call: ModelCall };

/** Turns that are not told came before those that are. Calls of traces that are not among the turns are left out: the answer says that it is not all. */
export function turnsOf(traces: TraceSummary[], calls: ModelCall[], all = traces.length): Turn[] {
  const untold = Math.max(0, all - traces.length);
  const byTrace = new Map<string, ModelCall[]>(traces.map(({ traceId }) => [traceId, []]));
  for (const call of calls) byTrace.get(call.traceId)?.push(call);
  return traces.map((trace, index) => ({
    number: untold + index + 1,
    trace,
    calls: byTrace.get(trace.traceId) ?? [],
  }));
}

export function sessionEntries(turns: Turn[]): SessionEntry[] {
  return turns.flatMap((turn) => [{ turn, call: null }, ...turn.calls.map((call) => ({ turn, call }))]);
}

/** Tokens, dollars or microseconds of a turn; null where nobody knows. */
export function measureOf(trace: TraceSummary, measure: Measure): number | null {
  if (measure === 'cost') return trace.cost;
  if (measure === 'duration') return Number(trace.duration) / 1e3;
  const tokens = Number(trace.inputTokens) + Number(trace.outputTokens);
  return tokens > 0 ? tokens : null;
}

export function formatMeasure(trace: TraceSummary, measure: Measure): string {
  const value = measureOf(trace, measure);
  if (measure === 'cost') return formatWorth(trace);
  if (value === null) return 'unknown';
  return measure === 'duration' ? formatDuration(value) : `${formatCount(value)} tokens`;
}

/** Heights of bars between 0 and 1, the most of them 1; null where there is nothing to show. */
export function shares(traces: TraceSummary[], measure: Measure): (number | null)[] {
  const values = traces.map((trace) => measureOf(trace, measure));
  const most = values.reduce<number>((sum, value) => Math.max(sum, value ?? 0), 0);
  return values.map((value) => (value === null ? null : most > 0 ? value / most : 0));
}

/** The last active first. Decimal strings of one length sort as numbers do. */
export function byLast<Active extends { last: string }>(conversations: Active[]): Active[] {
  return conversations.toSorted(
    (left, right) =>
      right.last.length - left.last.length || (left.last < right.last ? 1 : left.last > right.last ? -1 : 0),
  );
}

/** Whether a call tells nothing of what was said. */
export function isSilent(call: ModelCall): boolean {
  return call.newInput === null && call.output === null;
}
