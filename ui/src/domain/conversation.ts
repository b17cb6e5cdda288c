// The reading order of a run: which spans speak, and which earlier call each model call continues.
import { KIND } from './kinds';
import { FLAG, type Skeleton } from './skeleton';
import { isError, type Tree } from './tree';

export interface Entry {
  row: number;
  /** An agent opens with its task and closes with its answer. */
  part: 'open' | 'close' | 'single';
  /** The span whose messages this one continues, or -1. */
  before: number;
  depth: number;
}

const SPEAKING = new Set(
  ['agent', 'workflow', 'llm', 'tool', 'retrieval', 'policy', 'message', 'memory', 'evaluator'].map(
    (name) => KIND[name],
  ),
);
const OPENING = new Set([KIND.agent, KIND.workflow]);

export function conversationEntries(skeleton: Skeleton, tree: Tree): Entry[] {
  const entries: Entry[] = [];
  const open: { row: number; end: number; lastCall: number }[] = [];
  const closeUntil = (row: number) => {
    while (open.length > 0 && open[open.length - 1].end <= row) {
      const agent = open.pop()!;
      if (skeleton.flags[agent.row] & FLAG.content) {
        entries.push({ row: agent.row, part: 'close', before: agent.lastCall, depth: open.length });
      }
    }
  };
  for (let row = 0; row < skeleton.count; row += 1) {
    closeUntil(row);
    if (!speaks(skeleton, row)) continue;
    const around = open[open.length - 1];
    const kind = skeleton.kind[row];
    const before = kind === KIND.llm && around ? (around.lastCall >= 0 ? around.lastCall : around.row) : -1;
    const opens = OPENING.has(kind);
    entries.push({ row, part: opens ? 'open' : 'single', before, depth: open.length });
    if (kind === KIND.llm && around) around.lastCall = row;
    if (opens) open.push({ row, end: row + tree.size[row], lastCall: -1 });
  }
  closeUntil(skeleton.count);
  return entries;
}

function speaks(skeleton: Skeleton, row: number): boolean {
  return (
    SPEAKING.has(skeleton.kind[row]) ||
    (isError(skeleton, row) && (skeleton.flags[row] & FLAG.exception) !== 0)
  );
}
