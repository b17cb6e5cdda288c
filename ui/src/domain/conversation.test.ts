// The reading order of a run.
import { expect, test } from 'vitest';
import { conversationEntries } from './conversation';
import { skeletonOf } from './fixtures';
import { KIND } from './kinds';
import { FLAG } from './skeleton';
import { buildTree } from './tree';

test('agents open and close, calls continue the call before them', () => {
  const skeleton = skeletonOf([
    { parent: -1, kind: KIND.agent, flags: FLAG.content },
    { parent: 0, kind: KIND.llm },
    { parent: 0, kind: KIND.tool },
    { parent: 2, kind: KIND.http },
    { parent: 0, kind: KIND.agent, flags: FLAG.content },
    { parent: 4, kind: KIND.llm },
    { parent: 0, kind: KIND.llm },
    { parent: -1, kind: KIND.db, status: 2, flags: FLAG.exception },
  ]);
  const told = conversationEntries(skeleton, buildTree(skeleton)).map(
    ({ row, part, before, depth }) => `${row} ${part} after ${before} at ${depth}`,
  );
  expect(told).toEqual([
    '0 open after -1 at 0',
    '1 single after 0 at 1',
    '2 single after -1 at 1',
    '4 open after -1 at 1',
    '5 single after 4 at 2',
    '4 close after 5 at 1',
    '6 single after 1 at 1',
    '0 close after 6 at 0',
    '7 single after -1 at 0',
  ]);
});
