// Points in time: nanoseconds since the epoch, in decimal strings.

export type Clock = 'local' | 'utc';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export function milliseconds(nanoseconds: string): number {
  return Number(BigInt(nanoseconds) / 1_000_000n);
}

function parts(nanoseconds: string, clock: Clock) {
  const date = new Date(milliseconds(nanoseconds));
  const two = (value: number) => String(value).padStart(2, '0');
  const utc = clock === 'utc';
  return {
    day: utc
      ? `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`
      : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`,
    time: utc
      ? `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`
      : `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`,
    fraction: (BigInt(nanoseconds) % 1_000_000_000n).toString().padStart(9, '0'),
  };
}

/** With every nanosecond, for tooltips and copies. */
export function absoluteTime(nanoseconds: string, clock: Clock = 'local'): string {
  const { day, time, fraction } = parts(nanoseconds, clock);
  return `${day} ${time}.${fraction}${clock === 'utc' ? ' UTC' : ''}`;
}

export function clockTime(nanoseconds: string, clock: Clock = 'local'): string {
  const { time, fraction } = parts(nanoseconds, clock);
  return `${time}.${fraction.slice(0, 3)}`;
}

export function relativeTime(nanoseconds: string, now: number): string {
  const age = now - milliseconds(nanoseconds);
  if (age < -MINUTE) return 'in the future';
  if (age < 5_000) return 'now';
  if (age < MINUTE) return `${Math.floor(age / 1000)} s ago`;
  if (age < HOUR) return `${Math.floor(age / MINUTE)} min ago`;
  if (age < DAY) return `${Math.floor(age / HOUR)} h ago`;
  if (age < 30 * DAY) return `${Math.floor(age / DAY)} d ago`;
  return parts(nanoseconds, 'local').day;
}

export interface Range {
  from: string | null;
  to: string | null;
}

export const PRESETS: { label: string; from: string | null }[] = [
  { label: 'Last 5 minutes', from: 'now-5m' },
  { label: 'Last 15 minutes', from: 'now-15m' },
  { label: 'Last hour', from: 'now-1h' },
  { label: 'Last 6 hours', from: 'now-6h' },
  { label: 'Last 24 hours', from: 'now-24h' },
  { label: 'Last 7 days', from: 'now-7d' },
];

const WORDS = /^(now(-\d+(\.\d+)?[smhd])?|\d{10,20}|\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)?)$/;

/** Whether the server will take it as a point in time. */
export function isTime(text: string): boolean {
  return WORDS.test(text);
}

/** What a person reads for a range in the address bar's form. */
export function rangeLabel(range: Range): string {
  const preset = PRESETS.find(({ from }) => from === range.from);
  if (preset && (range.to === null || range.to === 'now')) return preset.label;
  return `${pointLabel(range.from) ?? 'the beginning'} – ${pointLabel(range.to) ?? 'now'}`;
}

function pointLabel(point: string | null): string | null {
  if (point === null || point.startsWith('now')) return point;
  if (/^\d+$/.test(point)) return absoluteTime(point).slice(0, 16);
  return point.replace('T', ' ').slice(0, 16);
}
