// Where things go on screen: fixed rows, stretches of time, tick marks.

export interface Stretch {
  from: number;
  to: number;
}

/** Browsers stop scrolling somewhere above 17 million pixels. */
const MAX_SCROLL = 14_000_000;

export function scrollHeight(rows: number, rowHeight: number): number {
  return Math.min(rows * rowHeight, MAX_SCROLL);
}

/** How far into the rows (in row pixels) a scroll position is; proportional once rows outgrow what scrolls. */
export function scrollOffset(scrollTop: number, viewport: number, rows: number, rowHeight: number): number {
  const real = rows * rowHeight;
  const shown = scrollHeight(rows, rowHeight);
  if (real <= shown) return scrollTop;
  return (scrollTop / Math.max(1, shown - viewport)) * (real - viewport);
}

export function scrollTopFor(offset: number, viewport: number, rows: number, rowHeight: number): number {
  const real = rows * rowHeight;
  const shown = scrollHeight(rows, rowHeight);
  if (real <= shown) return offset;
  return (offset / Math.max(1, real - viewport)) * (shown - viewport);
}

export interface RowWindow {
  first: number;
  last: number;
}

/** Rows on screen: first included, last excluded. */
export function rowWindow(
  offset: number,
  viewport: number,
  rows: number,
  rowHeight: number,
  extra = 2,
): RowWindow {
  const first = Math.max(0, Math.floor(offset / rowHeight) - extra);
  const last = Math.min(rows, Math.ceil((offset + viewport) / rowHeight) + extra);
  return { first: Math.min(first, last), last };
}

const STEPS = [1, 2, 5];

/** Round tick marks within a stretch, about `wanted` of them. */
export function ticks(stretch: Stretch, wanted: number): number[] {
  const raw = (stretch.to - stretch.from) / Math.max(1, wanted);
  if (!(raw > 0) || !Number.isFinite(raw)) return [];
  const magnitude = 10 ** Math.floor(Math.log10(raw));
  const step = (STEPS.find((factor) => factor * magnitude >= raw) ?? 10) * magnitude;
  const marks: number[] = [];
  for (let index = Math.ceil(stretch.from / step); index * step <= stretch.to; index += 1)
    marks.push(index * step);
  return marks;
}

/** Zooms about a point, staying inside the whole and above a nanosecond. */
export function zoomBy(stretch: Stretch, whole: Stretch, factor: number, about?: number): Stretch {
  const centre = about ?? (stretch.from + stretch.to) / 2;
  const from = centre - (centre - stretch.from) * factor;
  return clamp({ from, to: from + (stretch.to - stretch.from) * factor }, whole);
}

export function panBy(stretch: Stretch, whole: Stretch, share: number): Stretch {
  const by = (stretch.to - stretch.from) * share;
  return clamp({ from: stretch.from + by, to: stretch.to + by }, whole);
}

export function clamp(stretch: Stretch, whole: Stretch): Stretch {
  const length = Math.min(Math.max(stretch.to - stretch.from, 0.01), whole.to - whole.from);
  const from = Math.min(Math.max(stretch.from, whole.from), whole.to - length);
  return { from, to: from + length };
}
