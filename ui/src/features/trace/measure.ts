// User Timing marks for the time from asking for a trace to its first full paint.
import { router } from '../../app/router.svelte';

let waiting = false;
let from = 0;

export function opening(): void {
  waiting = true;
  from = router.asked;
}

/** Called with every painting of the bars; the first after opening is the one that counts. */
export function painted(): void {
  if (!waiting) return;
  waiting = false;
  // The frame that was drawn into is on screen when the task after its animation frame runs.
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      performance.mark('clew:trace-painted');
      performance.measure('clew:trace-open', { start: from, end: 'clew:trace-painted' });
    };
    channel.port2.postMessage(null);
  });
}
