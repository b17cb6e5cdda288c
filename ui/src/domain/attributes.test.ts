// Values as text, facts by kind, failures.
import { expect, test } from 'vitest';
import type { Attribute, Generation, Span } from '../api/types';
import { documents, facts, failure, plainValue } from './attributes';

function spanWith(changes: Partial<Span>, attributes: Record<string, string> = {}): Span {
  const list: Attribute[] = Object.entries(attributes).map(([key, value]) => ({
    key,
    type: 'string',
    value,
  }));
  return {
    kind: 'other',
    status: { code: 'unset', message: '' },
    attributes: list,
    events: [],
    gen: null,
    ...changes,
  } as unknown as Span;
}

test('values as text, nothing lost', () => {
  expect(plainValue({ type: 'int', value: '9223372036854775807' })).toBe('9223372036854775807');
  expect(plainValue({ type: 'empty', value: null })).toBe('');
  expect(plainValue({ type: 'bool', value: false })).toBe('false');
  const nested = {
    type: 'map',
    value: [
      {
        key: 'list',
        type: 'array',
        value: [
          { type: 'int', value: '9007199254740993' },
          { type: 'string', value: 'x' },
        ],
      },
    ],
  };
  expect(JSON.parse(plainValue(nested))).toEqual({ list: ['9007199254740993', 'x'] });
});

test('facts are the kind’s own, unknown ones left out', () => {
  const span = spanWith({ kind: 'policy' }, { 'policy.name': 'refund-limit', 'policy.decision': 'deny' });
  expect(facts(span)).toEqual([
    { label: 'Policy', value: 'refund-limit' },
    { label: 'Decision', value: 'deny' },
  ]);
});

test('the conversation leads to its page', () => {
  const gen = {
    conversation: 'shop/7',
    finishReasons: null,
    timeToFirstTokenMs: null,
    cost: null,
  } as Generation;
  expect(facts(spanWith({ gen }))).toContainEqual({
    label: 'Conversation',
    value: 'shop/7',
    href: '/session/shop%2F7',
  });
});

test('a failure is read from the last exception, else from the status', () => {
  const event = (message: string) => ({
    time: '1',
    name: 'exception',
    attributes: [{ key: 'exception.message', type: 'string', value: message }] as Attribute[],
  });
  expect(failure(spanWith({ events: [event('first'), event('last')] }))?.message).toBe('last');
  expect(
    failure(spanWith({ status: { code: 'error', message: 'timed out' } }, { 'error.type': 'timeout' })),
  ).toEqual({
    type: 'timeout',
    message: 'timed out',
    stack: '',
  });
  expect(failure(spanWith({}))).toBeNull();
});

test('documents in any of their forms', () => {
  const recorded = JSON.stringify([{ id: 'a', score: 0.9, content: 'x' }, 'text', { title: 't' }]);
  expect(documents(spanWith({}, { 'gen_ai.retrieval.documents': recorded }))).toEqual([
    { id: 'a', score: 0.9, text: 'x' },
    { id: '#2', score: null, text: 'text' },
    { id: '#3', score: null, text: 't' },
  ]);
  expect(documents(spanWith({}, { 'gen_ai.retrieval.documents': '[{"cut' }))).toEqual([]);
});
