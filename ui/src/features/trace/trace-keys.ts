// The keyboard of the trace page.
import { keys } from '../../app/keys.svelte';
import { router } from '../../app/router.svelte';
import { panBy, zoomBy } from '../../domain/layout';
import { toasts } from '../../ui/toasts.svelte';
import type { OpenTrace } from './trace.svelte';

interface Actions {
  show: () => void;
  find: () => void;
  setView: (view: 'timeline' | 'conversation' | 'run' | 'logs') => void;
  toggleDetail: () => void;
}

export function bindTraceKeys(trace: OpenTrace, actions: Actions): () => void {
  const group = 'Trace';
  const then = (action: () => void) => () => {
    action();
    actions.show();
  };
  const zoom = (factor: number) => () => (trace.zoom = zoomBy(trace.zoom, trace.whole, factor));
  const pan = (share: number) => () => (trace.zoom = panBy(trace.zoom, trace.whole, share));
  return keys.bind([
    { keys: 'j', about: 'Next span (also ↓)', group, run: then(() => trace.moveTo(trace.index + 1)) },
    { keys: 'k', about: 'Previous span (also ↑)', group, run: then(() => trace.moveTo(trace.index - 1)) },
    { keys: 'e', about: 'Next error', group, run: then(() => trace.next(1, 'error')) },
    { keys: 'E', about: 'Previous error', group, run: then(() => trace.next(-1, 'error')) },
    { keys: 'f', about: 'Find in this trace', group, run: actions.find },
    { keys: 'n', about: 'Next match', group, run: then(() => trace.next(1, 'match')) },
    { keys: 'N', about: 'Previous match', group, run: then(() => trace.next(-1, 'match')) },
    { keys: '1', about: 'Timeline', group, run: () => actions.setView('timeline') },
    { keys: '2', about: 'Conversation', group, run: () => actions.setView('conversation') },
    { keys: '3', about: 'Logs', group, run: () => actions.setView('logs') },
    { keys: '\\', about: 'Details on and off', group, run: actions.toggleDetail },
    {
      keys: '[',
      about: 'Collapse one level',
      group,
      run: () => trace.foldFrom(Math.max(0, trace.shownDepth - 1)),
    },
    { keys: ']', about: 'Expand one level', group, run: () => trace.foldFrom(trace.shownDepth + 1) },
    { keys: '{', about: 'Collapse all', group, run: () => trace.foldFrom(0) },
    { keys: '}', about: 'Expand all', group, run: () => trace.foldFrom(Infinity) },
    { keys: '+', about: 'Zoom in (also Ctrl and wheel)', group, run: zoom(0.5) },
    { keys: '-', about: 'Zoom out', group, run: zoom(2) },
    { keys: '0', about: 'Show the whole time', group, run: () => (trace.zoom = trace.whole) },
    { keys: 'a', about: 'Pan left', group, run: pan(-0.25) },
    { keys: 'd', about: 'Pan right', group, run: pan(0.25) },
    { keys: 'z', about: 'Zoom to the selected span', group, run: () => zoomToSelection(trace) },
    { keys: 'y', about: 'Copy a link to what is selected', group, run: copyLink },
    { keys: 'Escape', about: 'Clear the find, close the details', group, run: () => escape(trace, actions) },
  ]);
}

function zoomToSelection(trace: OpenTrace): void {
  const { skeleton, selected } = trace;
  if (!skeleton || selected < 0) return;
  const start = skeleton.start[selected];
  const duration = Math.max(skeleton.duration[selected], 1);
  const margin = duration * 0.05;
  const zoom = { from: start - margin, to: start + duration + margin };
  const { whole } = trace;
  trace.zoom = { from: Math.max(zoom.from, whole.from), to: Math.min(zoom.to, whole.to) };
}

function copyLink(): void {
  void navigator.clipboard.writeText(router.url.href);
  toasts.show('Link copied');
}

function escape(trace: OpenTrace, actions: Actions): void {
  if (trace.find) {
    trace.search('');
    router.set({ f: null });
  } else if (trace.selected >= 0 && router.parameter('detail') !== '0') actions.toggleDetail();
}
