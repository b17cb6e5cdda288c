// Addresses and the pages they mean.
import { expect, test } from 'vitest';
import { routeOf, sessionPath } from './route';

test.each([
  ['/', { page: 'home' }],
  ['/traces', { page: 'traces' }],
  ['/traces/nowhere', { page: 'missing' }],
  ['/trace/C1-E7', { page: 'trace', id: '0000000000000000000000000000c1e7' }],
  ['/trace/notHex', { page: 'missing' }],
  ['/sessions', { page: 'sessions' }],
  ['/session', { page: 'missing' }],
  ['/session/talk-1', { page: 'session', id: 'talk-1' }],
  ['/session/a/b', { page: 'missing' }],
  ['/session/%', { page: 'missing' }],
  ['/findings', { page: 'findings' }],
  ['/findings/orphan', { page: 'missing' }],
  ['/settings', { page: 'settings' }],
])('%s', (path, route) => {
  expect(routeOf(path)).toEqual(route);
});

test.each(['talk-1', 'a/b?c=d#e', 'v1.2', '50 %', '../up', 'Gespräch 7 🙂'])(
  'a conversation called %s has an address that leads to it',
  (id) => {
    const { pathname, search, hash } = new URL(sessionPath(id), 'http://localhost');
    expect(routeOf(pathname)).toEqual({ page: 'session', id });
    expect(pathname.slice('/session/'.length)).not.toMatch(/[./]/);
    expect(search + hash).toBe('');
  },
);
