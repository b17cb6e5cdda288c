// Draws the visible bars of the timeline on one canvas.
import { formatDuration } from '../../domain/format';
import { kindAt } from '../../domain/kinds';
import { ticks, type Stretch } from '../../domain/layout';
import { FLAG, type Skeleton } from '../../domain/skeleton';
import { isError, type Tree } from '../../domain/tree';

export interface BarsView {
  skeleton: Skeleton;
  tree: Tree;
  rows: Uint32Array;
  collapsed: Uint8Array;
  matches: Uint8Array | null;
  zoom: Stretch;
  /** Where a running span's bar ends: now, or the end of the trace. */
  runningEnd: number;
  first: number;
  last: number;
  offset: number;
  rowHeight: number;
  barTop: number;
  barHeight: number;
  width: number;
  height: number;
  colour: (token: string) => string;
}

const LABEL_GAP = 6;
const MIN_BAR = 2;
/** Narrower bars would vanish under the hatching. */
const LEAST_HATCHED = 10;

export function drawBars(context: CanvasRenderingContext2D, view: BarsView): void {
  context.clearRect(0, 0, view.width, view.height);
  drawGrid(context, view);
  context.font = `11px ${getComputedStyle(context.canvas).fontFamily}`;
  context.textBaseline = 'middle';
  for (let index = view.first; index < view.last; index += 1) drawRow(context, view, index);
}

function drawGrid(context: CanvasRenderingContext2D, view: BarsView): void {
  context.fillStyle = view.colour('border');
  context.globalAlpha = 0.6;
  for (const mark of ticks(view.zoom, view.width / 110)) {
    context.fillRect(Math.round(positionOf(view, mark)), 0, 1, view.height);
  }
  context.globalAlpha = 1;
}

function positionOf(view: BarsView, time: number): number {
  return ((time - view.zoom.from) / (view.zoom.to - view.zoom.from)) * view.width;
}

interface Bar {
  row: number;
  y: number;
  left: number;
  right: number;
  dim: number;
}

function drawRow(context: CanvasRenderingContext2D, view: BarsView, index: number): void {
  const { skeleton } = view;
  const row = view.rows[index];
  const running = (skeleton.flags[row] & FLAG.running) !== 0;
  const start = skeleton.start[row];
  const end = running ? Math.max(view.runningEnd, start) : start + skeleton.duration[row];
  const from = positionOf(view, Math.min(start, end));
  const to = positionOf(view, Math.max(start, end));
  const bar: Bar = {
    row,
    y: index * view.rowHeight - view.offset + view.barTop,
    left: Math.max(-4, from),
    right: Math.min(view.width + 4, Math.max(to, from + MIN_BAR)),
    dim: view.matches && !view.matches[row] ? 0.35 : 1,
  };
  if (bar.right > 0 && bar.left < view.width) {
    context.globalAlpha = bar.dim;
    drawBar(context, view, bar, running, end < start);
  }
  context.globalAlpha = bar.dim;
  drawLabel(context, view, bar, start, end, running);
  context.globalAlpha = 1;
}

function drawBar(
  context: CanvasRenderingContext2D,
  view: BarsView,
  bar: Bar,
  running: boolean,
  negative: boolean,
) {
  const { skeleton } = view;
  const { row, y, left, right } = bar;
  const colour = view.colour(`kind-${kindAt(skeleton.kind[row]).token}`);
  context.fillStyle = colour;
  drawSelfTime(context, view, bar);
  if (negative) hatch(context, left, y, right - left, view.barHeight, view.colour('warn'));
  drawBeyondParent(context, view, bar);
  if (running) drawOpenEnd(context, view, bar, colour);
  if (isError(skeleton, row)) {
    context.strokeStyle = view.colour('error');
    context.lineWidth = 2;
    context.strokeRect(left + 1, y + 1, Math.max(right - left - 2, 1), view.barHeight - 2);
  } else if (view.tree.errorsBelow[row] > 0 && view.collapsed[row]) {
    context.fillStyle = view.colour('error');
    context.fillRect(left, y + view.barHeight - 2, right - left, 2);
  }
}

/** Own time solid, time in children at 35 %: what a span waits for is seen from what it does. */
function drawSelfTime(context: CanvasRenderingContext2D, view: BarsView, bar: Bar): void {
  const { skeleton, tree } = view;
  const { row, y, left, right, dim } = bar;
  const round = right - left > 6 ? 2 : 0;
  context.save();
  context.beginPath();
  context.roundRect(left, y, right - left, view.barHeight, round);
  if (tree.children[row] === 0) {
    context.fill();
    context.restore();
    return;
  }
  context.clip();
  context.globalAlpha = 0.35 * dim;
  context.fillRect(left, y, right - left, view.barHeight);
  context.globalAlpha = dim;
  let edge = left;
  const last = row + tree.size[row];
  for (let child = row + 1; child < last && edge < right; child += tree.size[child]) {
    const from = positionOf(view, skeleton.start[child]);
    const to = positionOf(view, skeleton.start[child] + skeleton.duration[child]);
    if (from > edge) context.fillRect(edge, y, Math.min(from, right) - edge, view.barHeight);
    edge = Math.max(edge, to);
  }
  if (edge < right) context.fillRect(edge, y, right - edge, view.barHeight);
  context.restore();
}

/** The part of a child that lies outside its parent is hatched: clocks differ, or work outlived its caller. */
function drawBeyondParent(context: CanvasRenderingContext2D, view: BarsView, bar: Bar): void {
  const { skeleton } = view;
  const parent = skeleton.parent[bar.row];
  if (bar.right - bar.left < LEAST_HATCHED) return;
  if (parent < 0 || parent >= bar.row || skeleton.flags[parent] & FLAG.running) return;
  const colour = view.colour('bg');
  const parentLeft = positionOf(view, skeleton.start[parent]);
  const parentRight = positionOf(view, skeleton.start[parent] + skeleton.duration[parent]);
  if (bar.right - 1 > Math.max(parentRight, bar.left)) {
    const from = Math.max(parentRight, bar.left);
    hatch(context, from, bar.y, bar.right - from, view.barHeight, colour);
  }
  if (bar.left + 1 < Math.min(parentLeft, bar.right)) {
    hatch(context, bar.left, bar.y, Math.min(parentLeft, bar.right) - bar.left, view.barHeight, colour);
  }
}

function hatch(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  width: number,
  height: number,
  colour: string,
) {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.beginPath();
  for (let at = x - height; at < x + width; at += 5) {
    context.moveTo(at, y + height);
    context.lineTo(at + height, y);
  }
  context.stroke();
  context.restore();
}

function drawOpenEnd(context: CanvasRenderingContext2D, view: BarsView, bar: Bar, colour: string): void {
  const tail = Math.min(28, bar.right - bar.left);
  const fade = context.createLinearGradient(bar.right - tail, 0, bar.right, 0);
  fade.addColorStop(0, 'transparent');
  fade.addColorStop(1, view.colour('bg'));
  context.fillStyle = fade;
  context.fillRect(bar.right - tail, bar.y, tail + 1, view.barHeight);
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.setLineDash([2, 2]);
  context.beginPath();
  context.moveTo(bar.right, bar.y);
  context.lineTo(bar.right, bar.y + view.barHeight);
  context.stroke();
  context.setLineDash([]);
}

function drawLabel(
  context: CanvasRenderingContext2D,
  view: BarsView,
  bar: Bar,
  start: number,
  end: number,
  running: boolean,
): void {
  const failed = isError(view.skeleton, bar.row);
  const duration = running ? `running ≥ ${formatDuration(end - start)}` : formatDuration(end - start);
  const text = failed ? `! ${duration}` : duration;
  const width = context.measureText(text).width;
  const left = Math.min(Math.max(bar.left, 0), view.width);
  const right = Math.min(Math.max(bar.right, 0), view.width);
  const y = bar.y + view.barHeight / 2 + 0.5;
  context.fillStyle = failed ? view.colour('error') : view.colour('muted');
  if (right + LABEL_GAP + width < view.width) context.fillText(text, right + LABEL_GAP, y);
  else if (left - LABEL_GAP - width > 0) context.fillText(text, left - LABEL_GAP - width, y);
  else drawInside(context, view, text, right - LABEL_GAP - width, y, width);
}

/** A bar over the whole width leaves no room beside it: the label gets a plate of its own. */
function drawInside(
  context: CanvasRenderingContext2D,
  view: BarsView,
  text: string,
  x: number,
  y: number,
  width: number,
): void {
  const ink = context.fillStyle;
  context.fillStyle = view.colour('bg');
  context.beginPath();
  context.roundRect(x - 4, y - 6, width + 8, 11, 2);
  context.fill();
  context.fillStyle = ink;
  context.fillText(text, x, y);
}
