// The query bar's pieces.
import { expect, test } from 'vitest';
import { asTraceId, completionAt, indexOfByte, pieces, quote, simpleTerms } from './query';

const shape = (text: string) => pieces(text).map((piece) => `${piece.kind}=${piece.text}`);

test('terms, operators and values', () => {
  expect(shape('kind:tool -status:=error')).toEqual([
    'key=kind',
    'operator=:',
    'value=tool',
    'space= ',
    'logic=-',
    'key=status',
    'operator=:=',
    'value=error',
  ]);
  expect(shape('duration:>=1.5s')).toEqual(['key=duration', 'operator=:>=', 'value=1.5s']);
});

test('quotes hold spaces and colons; brackets and logic stand alone', () => {
  expect(shape('"my key":"a b:c"')).toEqual(['key="my key"', 'operator=:', 'value="a b:c"']);
  expect(shape('(a OR b)')).toEqual([
    'bracket=(',
    'word=a',
    'space= ',
    'logic=OR',
    'space= ',
    'word=b',
    'bracket=)',
  ]);
});

test('any text comes back whole, piece by piece', () => {
  for (const text of [
    '',
    ':',
    '::',
    'a:',
    '"open',
    '((',
    '- -',
    'a:"b',
    'é:ü',
    'key:(a OR b)',
    '"":""',
    'a"b:c',
  ]) {
    expect(
      pieces(text)
        .map((piece) => piece.text)
        .join(''),
    ).toBe(text);
  }
});

test('what can be completed where', () => {
  expect(completionAt('ki', 2)).toMatchObject({ what: 'key', prefix: 'ki', from: 0, to: 2 });
  expect(completionAt('kind:', 5)).toMatchObject({ what: 'value', key: 'kind', prefix: '', from: 5, to: 5 });
  expect(completionAt('kind:to has:error', 7)).toMatchObject({
    what: 'value',
    key: 'kind',
    prefix: 'to',
    from: 5,
    to: 7,
  });
  expect(completionAt('kind:tool ', 10)).toMatchObject({ what: 'key', prefix: '', from: 10 });
});

test('terms that can be removed one by one', () => {
  expect(simpleTerms('kind:tool has:error -"a b"')).toEqual(['kind:tool', 'has:error', '-"a b"']);
  expect(simpleTerms('a OR b')).toBeNull();
});

test('trace ids are known in any spelling', () => {
  expect(asTraceId(' 4BF92F35-77B34DA6-A3CE929D-0E0E4736 ')).toBe('4bf92f3577b34da6a3ce929d0e0e4736');
  expect(asTraceId('4bf9')).toBeNull();
});

test('values are quoted where they must be', () => {
  expect(quote('gpt-4o')).toBe('gpt-4o');
  expect(quote('two words')).toBe('"two words"');
});

test('byte offsets become places in the text', () => {
  expect(indexOfByte('kind:', 5)).toBe(5);
  expect(indexOfByte('é:(', 3)).toBe(2);
  expect(indexOfByte('🧶 (', 5)).toBe(3);
  expect(indexOfByte('ab', 99)).toBe(2);
});
