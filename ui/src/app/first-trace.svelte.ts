// Notices the very first trace, wherever the user is, and says so once.
import { live } from '../api/live.svelte';
import { toasts } from '../ui/toasts.svelte';

class FirstTrace {
  #wasEmpty = false;

  watch(): () => void {
    return live.onTraces((traces) => {
      if (!this.#wasEmpty || traces.length === 0) return;
      this.#wasEmpty = false;
      toasts.show('First trace received', { href: `/trace/${traces[0].traceId}`, action: 'Open' });
    });
  }

  /** The store was seen without a single span. */
  empty(): void {
    this.#wasEmpty = true;
  }
}

export const firstTrace = new FirstTrace();
