// Dark, light, or as the system says; and the colours as canvases need them.
const KEY = 'clew.theme';

export type ThemeChoice = 'auto' | 'dark' | 'light';

class Theme {
  choice = $state<ThemeChoice>('auto');
  /** Changes whenever colours do, so that canvases repaint. */
  version = $state(0);
  #cache = new Map<string, string>();
  #probe: HTMLElement | null = null;

  start(): void {
    const stored = localStorage.getItem(KEY);
    this.choice = stored === 'dark' || stored === 'light' ? stored : 'auto';
    this.#apply();
    for (const query of [
      '(prefers-color-scheme: dark)',
      '(forced-colors: active)',
      '(prefers-contrast: more)',
    ]) {
      matchMedia(query).addEventListener('change', () => this.#apply());
    }
  }

  choose(choice: ThemeChoice): void {
    this.choice = choice;
    if (choice === 'auto') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, choice);
    this.#apply();
  }

  next(): void {
    const order: ThemeChoice[] = ['auto', 'dark', 'light'];
    this.choose(order[(order.indexOf(this.choice) + 1) % order.length]);
  }

  /** What a token is just now. Reading it makes the reader depend on the theme. */
  colour(token: string): string {
    void this.version;
    let value = this.#cache.get(token);
    if (value === undefined) {
      value = this.#resolve(token);
      this.#cache.set(token, value);
    }
    return value;
  }

  #resolve(token: string): string {
    if (!this.#probe) {
      this.#probe = document.createElement('span');
      this.#probe.hidden = true;
      document.body.append(this.#probe);
    }
    // Forced colours make every text one colour; only the background must stay apart from it.
    if (token === 'bg' && matchMedia('(forced-colors: active)').matches) return 'Canvas';
    this.#probe.style.color = `var(--${token})`;
    return getComputedStyle(this.#probe).color;
  }

  #apply(): void {
    if (this.choice === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.choice;
    this.#cache.clear();
    this.version += 1;
  }
}

export const theme = new Theme();
