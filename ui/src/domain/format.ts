// Numbers, sizes, money and durations as people read them.

const UNKNOWN = '—';

/** Microseconds, with a fraction down to nanoseconds. */
export function formatDuration(microseconds: number): string {
  if (!Number.isFinite(microseconds)) return UNKNOWN;
  const sign = microseconds < 0 ? '−' : '';
  const us = Math.abs(microseconds);
  if (us === 0) return '0';
  if (us < 1) return `${sign}${Math.round(us * 1000)} ns`;
  if (us < 1000) return `${sign}${digits(us)} µs`;
  if (us < 1e6) return `${sign}${digits(us / 1e3)} ms`;
  const seconds = us / 1e6;
  if (seconds < 60) return `${sign}${digits(seconds)} s`;
  return sign + longDuration(Math.round(seconds));
}

function longDuration(seconds: number): string {
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

function digits(value: number): string {
  const places = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return String(Number(value.toFixed(places)));
}

/** A decimal string of nanoseconds. */
export function formatNanoseconds(nanoseconds: string | null): string {
  return nanoseconds === null ? UNKNOWN : formatDuration(Number(nanoseconds) / 1000);
}

export function formatCount(value: number | string): string {
  const count = Number(value);
  if (!Number.isFinite(count)) return UNKNOWN;
  if (count < 10_000) return count.toLocaleString('en-US');
  if (count < 1e6) return `${digits(count / 1e3)}k`;
  if (count < 1e9) return `${digits(count / 1e6)}M`;
  return `${digits(count / 1e9)}G`;
}

export function formatBytes(value: number | string): string {
  let bytes = Number(value);
  if (!Number.isFinite(bytes)) return UNKNOWN;
  if (bytes < 1024) return `${bytes} B`;
  for (const unit of ['KiB', 'MiB', 'GiB']) {
    bytes /= 1024;
    if (bytes < 1024) return `${digits(bytes)} ${unit}`;
  }
  return `${digits(bytes / 1024)} TiB`;
}

/** An unknown cost is a dash, never zero. */
export function formatCost(dollars: number | null | undefined): string {
  if (dollars === null || dollars === undefined || !Number.isFinite(dollars)) return UNKNOWN;
  if (dollars === 0) return '$0';
  if (dollars < 0.0001) return '<$0.0001';
  if (dollars < 0.00995) return `$${dollars.toFixed(4)}`;
  if (dollars < 1) return `$${dollars.toFixed(3)}`;
  return `$${dollars.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}

/** Money as far as it is known: nobody's guess is nothing, and a sum without some models' prices is at least that. */
export function formatWorth({
  cost,
  unpricedModels,
}: {
  cost: number | null;
  unpricedModels: string[];
}): string {
  if (cost === null) return 'unknown';
  return unpricedModels.length > 0 ? `≥ ${formatCost(cost)}` : formatCost(cost);
}

const BIDI_OR_INVISIBLE = /[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;
// eslint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

/** Telemetry is hostile input: characters that hide or reorder text are spelled out. */
export function visibleText(text: string): string {
  return text.replace(BIDI_OR_INVISIBLE, spell).replace(CONTROL, spell);
}

function spell(character: string): string {
  return `⟨U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`;
}

/** One line of it, for rows and labels. */
export function oneLine(text: string): string {
  return visibleText(text.replace(/\s+/g, ' ').trim());
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
