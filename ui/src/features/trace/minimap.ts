// Draws the whole trace small: every span as a line, errors above all.
import { kindAt } from '../../domain/kinds';
import type { Stretch } from '../../domain/layout';
import { FLAG, type Skeleton } from '../../domain/skeleton';
import { isError } from '../../domain/tree';

const FEW = 400;

export interface MinimapView {
  skeleton: Skeleton;
  whole: Stretch;
  width: number;
  height: number;
  colour: (token: string) => string;
}

/** In device pixels: rows of the trace share lines of the picture when there are more of them. */
export function drawMinimap(context: CanvasRenderingContext2D, view: MinimapView): void {
  const { skeleton, width, height } = view;
  context.clearRect(0, 0, width, height);
  if (skeleton.count === 0 || width < 1) return;
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const inks = Uint32Array.from({ length: 16 }, (_, kind) =>
    ink(view.colour(`kind-${kindAt(kind).token}`), 0.75),
  );
  const scale = width / (view.whole.to - view.whole.from);
  const lane = height / Math.max(skeleton.count, 1);
  const thick = skeleton.count < FEW ? Math.max(1, Math.floor(Math.min(lane * 0.7, 6))) : 1;
  for (let row = 0; row < skeleton.count; row += 1) {
    const y = Math.floor(row * lane);
    line(pixels, view, row, y, thick, scale, inks[skeleton.kind[row] & 15]);
  }
  const red = ink(view.colour('error'), 1);
  for (let row = 0; row < skeleton.count; row += 1) {
    if (isError(skeleton, row))
      line(pixels, view, row, Math.floor(row * lane), Math.max(2, thick), scale, red);
  }
  context.putImageData(image, 0, 0);
}

function line(
  pixels: Uint32Array,
  view: MinimapView,
  row: number,
  y: number,
  thick: number,
  scale: number,
  colour: number,
): void {
  const { skeleton, width, height, whole } = view;
  const running = (skeleton.flags[row] & FLAG.running) !== 0;
  const from = (skeleton.start[row] - whole.from) * scale;
  const to = running ? width : from + skeleton.duration[row] * scale;
  const left = Math.max(0, Math.min(width - 1, Math.floor(Math.min(from, to))));
  const right = Math.max(left + 1, Math.min(width, Math.ceil(Math.max(from, to))));
  for (let at = y; at < Math.min(height, y + thick); at += 1)
    pixels.fill(colour, at * width + left, at * width + right);
}

/** A CSS colour as a little-endian RGBA pixel. */
function ink(css: string, alpha: number): number {
  const [red = 128, green = 128, blue = 128] = (css.match(/[\d.]+/g) ?? []).map(Number);
  return ((Math.round(alpha * 255) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
