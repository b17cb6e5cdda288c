// Messages in every shape that senders write, and what is new in a call.
import { expect, test } from 'vitest';
import type { Message } from '../api/types';
import { newMessages, partText, prettyText, readMessages } from './messages';

const say = (role: string, content: string): Message => ({ role, parts: [{ type: 'text', content }] });

test('the same history is told once', () => {
  const first = [say('user', 'Hi')];
  const answer = say('assistant', 'Hello');
  const second = [...first, answer, say('user', 'Refund please')];
  expect(newMessages([...first, answer], second)).toEqual({
    earlier: 2,
    fresh: [say('user', 'Refund please')],
  });
  expect(newMessages([], second).earlier).toBe(0);
});

test('a message said twice is new the second time', () => {
  const yes = say('user', 'yes');
  expect(newMessages([yes], [yes, yes])).toEqual({ earlier: 1, fresh: [yes] });
});

test('a history that was cut at its start is still known', () => {
  const history = [say('user', 'a'), say('assistant', 'b'), say('user', 'c')];
  expect(newMessages(history, [...history.slice(1), say('user', 'd')])).toEqual({
    earlier: 2,
    fresh: [say('user', 'd')],
  });
});

test.each([
  ['text', 'plain', [{ role: '', parts: [{ type: 'text', content: 'plain' }] }]],
  ['chat form', [{ role: 'user', content: 'x' }], [say('user', 'x')]],
  [
    'system parts',
    [{ type: 'text', content: 'Be kind' }],
    [{ role: '', parts: [{ type: 'text', content: 'Be kind' }] }],
  ],
  ['nothing', null, []],
  ['a cut value', { truncated: true, length: 9, field: 'k' }, []],
  ['numbers', [1], [{ role: '', parts: [{ type: 'text', content: '1' }] }]],
])('reads %s', (_, value, messages) => {
  expect(readMessages(value)).toEqual(messages);
});

test('odd parts have text too', () => {
  expect(partText({ type: 'tool_call', arguments: { a: 1 } })).toBe('{\n  "a": 1\n}');
  expect(partText({ type: 'x' })).toBe('');
});

test('indenting never changes a number', () => {
  expect(prettyText('{"id":12345678901234567890}')).toBe('{"id":12345678901234567890}');
  expect(prettyText('{"a":1}')).toBe('{\n  "a": 1\n}');
  expect(prettyText('{broken')).toBe('{broken');
});
