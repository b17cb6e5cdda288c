// The address bar is the state: push for navigation, replace for adjustments.
import { untrack } from 'svelte';
import { routeOf } from '../domain/route';

/** Browsers refuse or ignore addresses that change too often (a held arrow key, a wheel). */
const WRITE_MS = 150;

class Router {
  url = $state.raw(new URL(location.href));
  /** Names this entry of the history, so that a page can find again what it showed there. */
  entry = $state(entryKey(history.state));
  route = $derived(routeOf(this.url.pathname));
  /** When the last navigation was asked for, for measurements; 0 is the page load itself. */
  asked = 0;
  #writtenAt = 0;
  #unwritten: ReturnType<typeof setTimeout> | null = null;

  constructor() {
    history.replaceState({ entry: this.entry }, '');
    addEventListener('pagehide', () => this.#write());
    addEventListener('popstate', (event) => {
      this.#forget();
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
    if (this.#unwritten !== null) this.#write();
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
      this.url = url;
      this.#writeSoon();
    }
  }

  /** For a link to a list: the list comes back as it was left, where there is one behind. */
  readonly back = (event: MouseEvent): void => {
    if (this.asked === 0 || history.length < 2) return;
    event.preventDefault();
    history.back();
  };

  #writeSoon(): void {
    if (this.#unwritten !== null) return;
    const wait = this.#writtenAt + WRITE_MS - performance.now();
    if (wait <= 0) this.#write();
    else this.#unwritten = setTimeout(() => this.#write(), wait);
  }

  #write(): void {
    this.#forget();
    this.#writtenAt = performance.now();
    const [entry, url] = untrack(() => [this.entry, this.url] as const);
    if (url.href !== location.href) history.replaceState({ entry }, '', url);
  }

  #forget(): void {
    if (this.#unwritten !== null) clearTimeout(this.#unwritten);
    this.#unwritten = null;
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
