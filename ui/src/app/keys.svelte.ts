// Keyboard shortcuts: pages bind theirs while they are shown, the help dialog lists what is bound.
import { untrack } from 'svelte';

const KEY = 'clew.shortcuts';
const SEQUENCE_MS = 1200;

export interface Binding {
  /** As KeyboardEvent.key has it; two keys with a space between are pressed one after the other. */
  keys: string;
  about: string;
  group: string;
  run: () => void;
}

class Keys {
  bound = $state.raw<Binding[]>([]);
  enabled = $state(localStorage.getItem(KEY) !== 'off');
  #before = '';
  #beforeAt = 0;

  constructor() {
    document.addEventListener('keydown', (event) => this.#press(event));
  }

  /** Returns how to unbind. */
  bind(bindings: Binding[]): () => void {
    this.bound = [...untrack(() => this.bound), ...bindings];
    return () => {
      this.bound = this.bound.filter((binding) => !bindings.includes(binding));
    };
  }

  enable(enabled: boolean): void {
    this.enabled = enabled;
    localStorage.setItem(KEY, enabled ? 'on' : 'off');
  }

  #press(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target))
      return;
    if (document.querySelector('dialog[open]')) return;
    // Single letters can be switched off (WCAG 2.1.4); other keys cannot be hit by speech input.
    if (!this.enabled && event.key.length === 1) return;
    const sequence = event.timeStamp - this.#beforeAt < SEQUENCE_MS ? `${this.#before} ${event.key}` : '';
    const found =
      this.bound.findLast((binding) => binding.keys === sequence) ??
      this.bound.findLast((binding) => binding.keys === event.key);
    this.#before = event.key;
    this.#beforeAt = event.timeStamp;
    if (!found) return;
    event.preventDefault();
    this.#before = '';
    found.run();
  }
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches('input:not([type=checkbox], [type=radio]), textarea, select'))
  );
}

export const keys = new Keys();
