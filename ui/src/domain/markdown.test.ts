// Model text in blocks; hostile text stays text.
import { expect, test } from 'vitest';
import { blocks, inline } from './markdown';

test('blocks', () => {
  expect(blocks('# Title\none\ntwo\n\n- item\n```js\nlet a;\n```\nend')).toEqual([
    { kind: 'heading', text: 'Title' },
    { kind: 'paragraph', text: 'one\ntwo' },
    { kind: 'item', text: 'item' },
    { kind: 'code', text: 'let a;' },
    { kind: 'paragraph', text: 'end' },
  ]);
  expect(blocks('```\nopen')).toEqual([{ kind: 'code', text: 'open' }]);
});

test('inline', () => {
  expect(inline('a **b** `c` d')).toEqual([
    { kind: 'text', text: 'a ' },
    { kind: 'bold', text: 'b' },
    { kind: 'text', text: ' ' },
    { kind: 'code', text: 'c' },
    { kind: 'text', text: ' d' },
  ]);
});

test.each(['<img src=x onerror=alert(1)>', '![x](http://evil/x.png)', '[a](javascript:alert(1))', '**', '`'])(
  '%s stays text',
  (text) => {
    expect(inline(text)).toEqual([{ kind: 'text', text }]);
  },
);
