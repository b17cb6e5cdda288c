// The address bar is the state: push for navigation, replace for adjustments.
import { untrack } from 'svelte';

export type Route =
  | { page: 'home' }
  | { page: 'traces' }
  | { page: 'trace'; id: string }
  | { page: 'settings' }
  | { page: 'missing' };

export function routeOf(path: string): Route {
  const [page = '', id, ...rest] = path.split('/').filter(Boolean);
  if (rest.length > 0) return { page: 'missing' };
  if (page === '') return { page: 'home' };
  if (page === 'traces' && !id) return { page: 'traces' };
  if (page === 'settings' && !id) return { page: 'settings' };
  if (page === 'trace' && id) {
    const bare = id.replaceAll('-', '').toLowerCase();
    if (/^[0-9a-f]{32}$/.test(bare)) return { page: 'trace', id: bare };
    if (/^[0-9a-f]{1,31}$/.test(bare)) return { page: 'trace', id: bare.padStart(32, '0') };
  }
  return { page: 'missing' };
}

class Router {
  url = $state.raw(new URL(location.href));
  /** Names this entry of the history, so that a page can find again what it showed there. */
  entry = $state(entryKey(history.state));
  route = $derived(routeOf(this.url.pathname));
  /** When the last navigation was asked for, for measurements; 0 is the page load itself. */
  asked = 0;

  constructor() {
    history.replaceState({ entry: this.entry }, '');
    addEventListener('popstate', (event) => {
      this.asked = performance.now();
      this.entry = entryKey(event.state);
      this.url = new URL(location.href);
    });
    document.addEventListener('click', (event) => this.#follow(event));
  }

  parameter(name: string): string {
    return this.url.searchParams.get(name) ?? '';
  }

  go(href: string): void {
    const url = new URL(href, location.href);
    if (url.href === untrack(() => this.url.href)) return;
    this.asked = performance.now();
    this.entry = entryKey(null);
    history.pushState({ entry: this.entry }, '', url);
    this.url = url;
  }

  /** Changes parameters of this page; null or '' removes one. Unknown ones are kept. */
  set(changes: Record<string, string | null>, how: 'push' | 'replace' = 'replace'): void {
    const before = untrack(() => this.url);
    const url = new URL(before);
    for (const [name, value] of Object.entries(changes)) {
      if (value) url.searchParams.set(name, value);
      else url.searchParams.delete(name);
    }
    if (how === 'push') this.go(url.href);
    else if (url.href !== before.href) {
      history.replaceState({ entry: untrack(() => this.entry) }, '', url);
      this.url = url;
    }
  }

  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element).closest?.('a[href]') as HTMLAnchorElement | null;
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (routeOf(link.pathname).page === 'missing') return;
    event.preventDefault();
    this.go(link.href);
  }
}

function entryKey(state: unknown): string {
  const known = (state as { entry?: unknown } | null)?.entry;
  return typeof known === 'string' ? known : Math.random().toString(36).slice(2);
}

export const router = new Router();
