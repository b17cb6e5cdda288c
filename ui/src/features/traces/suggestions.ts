// What the query bar offers at the caret: earlier queries, keys, values with counts.
import { api } from '../../api/client';
import type { Field } from '../../api/types';
import { knownValues, quote, SHORT_NAMES, type Completion } from '../../domain/query';

const HISTORY = 'clew.queries';
const KEPT = 50;
const OFFERED = 12;

export interface Suggestion {
  text: string;
  about: string;
  /** What takes the place of the completed stretch. */
  insert: string;
  /** Replaces the whole query. */
  whole?: boolean;
}

export const PRESETS: Suggestion[] = [
  { text: 'has:error', about: 'Errors', insert: 'has:error', whole: true },
  { text: 'duration:>5s', about: 'Slow', insert: 'duration:>5s', whole: true },
  { text: 'kind:policy', about: 'Policy decisions', insert: 'kind:policy', whole: true },
  { text: 'cost:>0.05', about: 'Expensive', insert: 'cost:>0.05', whole: true },
];

export function history(): string[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(HISTORY) ?? '[]');
    return Array.isArray(stored) ? stored.filter((entry) => typeof entry === 'string') : [];
  } catch {
    return [];
  }
}

export function remember(query: string): void {
  if (!query) return;
  const kept = [query, ...history().filter((entry) => entry !== query)].slice(0, KEPT);
  localStorage.setItem(HISTORY, JSON.stringify(kept));
}

let fields: Promise<Field[]> | null = null;

function observedFields(): Promise<Field[]> {
  fields ??= api.fields().then(
    (answer) => answer.fields,
    () => {
      fields = null;
      return [];
    },
  );
  return fields;
}

export async function suggest(
  completion: Completion,
  whole: string,
  signal: AbortSignal,
): Promise<Suggestion[]> {
  if (!whole.trim()) {
    const past = history()
      .slice(0, 5)
      .map((query) => ({ text: query, about: 'recent', insert: query, whole: true }));
    return [...past, ...PRESETS, ...keySuggestions('', [])].slice(0, OFFERED);
  }
  if (completion.what === 'key')
    return keySuggestions(completion.prefix, await observedFields()).slice(0, OFFERED);
  return valueSuggestions(completion, signal);
}

function keySuggestions(prefix: string, observed: Field[]): Suggestion[] {
  const wanted = prefix.toLowerCase().replace(/^"/, '');
  const short = SHORT_NAMES.filter(({ key }) => key.startsWith(wanted)).map(({ key, about }) => ({
    text: `${key}:`,
    about,
    insert: `${key}:`,
  }));
  const taken = new Set(short.map((suggestion) => suggestion.text));
  const rest = observed
    .filter((field) => field.key.toLowerCase().includes(wanted) && !taken.has(`${field.key}:`))
    .map((field) => {
      const key =
        field.scope === 'resource' && !field.key.startsWith('resource.')
          ? `resource.${field.key}`
          : field.key;
      return {
        text: `${key}:`,
        about: `${field.scope} · ${field.types.join(', ')}`,
        insert: `${quote(key)}:`,
      };
    });
  return [...short, ...rest];
}

async function valueSuggestions(completion: Completion, signal: AbortSignal): Promise<Suggestion[]> {
  const { key, prefix } = completion;
  const known = knownValues(key)
    .filter((value) => value.startsWith(prefix.toLowerCase()))
    .map((value) => ({ text: value, about: '', insert: `${value} ` }));
  if (key === 'has') return known;
  let observed: Suggestion[] = [];
  try {
    const { values } = await api.values(key.replace(/^resource\./, ''), prefix, signal);
    observed = values.map(({ value, count }) => ({
      text: value,
      about: `×${count}`,
      insert: `${quote(value)} `,
    }));
  } catch {
    // A key without values to offer (or an aborted look-up) leaves what is known.
  }
  const seen = new Set(observed.map((suggestion) => suggestion.text));
  return [...observed, ...known.filter((suggestion) => !seen.has(suggestion.text))].slice(0, OFFERED);
}
