// Which page an address means, and the addresses of what has a name that people or programs chose.

export type Route =
  | { page: 'home' }
  | { page: 'traces' }
  | { page: 'trace'; id: string }
  | { page: 'sessions' }
  | { page: 'session'; id: string }
  | { page: 'findings' }
  | { page: 'settings' }
  | { page: 'missing' };

const LISTS = ['traces', 'sessions', 'findings', 'settings'] as const;

export function routeOf(path: string): Route {
  const [page = '', id, ...rest] = path.split('/').filter(Boolean);
  if (rest.length > 0) return { page: 'missing' };
  if (page === '') return { page: 'home' };
  const list = LISTS.find((name) => name === page);
  if (list) return id ? { page: 'missing' } : { page: list };
  if (page === 'session' && id) return sessionRoute(id);
  if (page === 'trace' && id) {
    const bare = id.replaceAll('-', '').toLowerCase();
    if (/^[0-9a-f]{32}$/.test(bare)) return { page: 'trace', id: bare };
    if (/^[0-9a-f]{1,31}$/.test(bare)) return { page: 'trace', id: bare.padStart(32, '0') };
  }
  return { page: 'missing' };
}

function sessionRoute(encoded: string): Route {
  try {
    return { page: 'session', id: decodeURIComponent(encoded) };
  } catch {
    // A percent sign that stands for no character.
    return { page: 'missing' };
  }
}

/** Dots are spelled out too, for the server takes an address that ends like a file's name for a file. */
export function sessionPath(id: string): string {
  return `/session/${encodeURIComponent(id).replaceAll('.', '%2E')}`;
}

export function spanPath(traceId: string, spanId: string): string {
  return `/trace/${traceId}?span=${spanId}`;
}
