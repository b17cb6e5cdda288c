// The query bar's text as pieces: for colours, suggestions and term buttons. The server alone judges validity.

export type PieceKind = 'space' | 'word' | 'key' | 'operator' | 'value' | 'logic' | 'bracket';

export interface Piece {
  kind: PieceKind;
  text: string;
  at: number;
}

const LOGIC = /^(OR|AND|NOT)$/;
const STOPS = /[\s()]/;

/** Where the quoted or bare run that starts at `at` ends. */
function runEnd(text: string, at: number, stopAtColon: boolean): number {
  let index = at;
  while (index < text.length) {
    if (text[index] === '"') {
      const close = text.indexOf('"', index + 1);
      index = close === -1 ? text.length : close + 1;
    } else if (STOPS.test(text[index]) || (stopAtColon && text[index] === ':')) {
      break;
    } else {
      index += 1;
    }
  }
  return index;
}

export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  const take = (kind: PieceKind, end: number) => {
    if (end > at) found.push({ kind, text: text.slice(at, end), at });
    at = end;
  };
  while (at < text.length) {
    const character = text[at];
    if (/\s/.test(character)) take('space', at + (/^\s+/.exec(text.slice(at))?.[0].length ?? 1));
    else if (character === '(' || character === ')') take('bracket', at + 1);
    else if (character === '-' && !STOPS.test(text[at + 1] ?? ' ')) take('logic', at + 1);
    else takeTerm(text, () => at, take);
  }
  return found;
}

function takeTerm(text: string, at: () => number, take: (kind: PieceKind, end: number) => void): void {
  const end = runEnd(text, at(), true);
  if (text[end] !== ':') {
    take(LOGIC.test(text.slice(at(), end)) ? 'logic' : 'word', Math.max(end, at() + 1));
    return;
  }
  take('key', end);
  take('operator', end + (/^:(>=|<=|=|>|<)?/.exec(text.slice(end))?.[0].length ?? 1));
  take('value', runEnd(text, at(), false));
}

export interface Completion {
  what: 'key' | 'value';
  /** The key whose values are wanted. */
  key: string;
  prefix: string;
  /** What an accepted suggestion replaces. */
  from: number;
  to: number;
}

/** What could be completed at the caret. */
export function completionAt(text: string, caret: number): Completion {
  const all = pieces(text);
  const index = all.findIndex((piece) => piece.at < caret && caret <= piece.at + piece.text.length);
  const piece = all[index];
  if (!piece || piece.kind === 'space' || piece.kind === 'bracket' || piece.kind === 'logic') {
    return { what: 'key', key: '', prefix: '', from: caret, to: caret };
  }
  if (piece.kind === 'operator' || piece.kind === 'value') {
    const key = all.slice(0, index).findLast((earlier) => earlier.kind === 'key')?.text ?? '';
    const value = piece.kind === 'value' ? piece : all[index + 1]?.kind === 'value' ? all[index + 1] : null;
    const from = piece.kind === 'operator' ? piece.at + piece.text.length : piece.at;
    const prefix = piece.kind === 'value' ? text.slice(piece.at, caret) : '';
    return {
      what: 'value',
      key: unquote(key),
      prefix: unquote(prefix),
      from,
      to: value ? value.at + value.text.length : from,
    };
  }
  return {
    what: 'key',
    key: '',
    prefix: text.slice(piece.at, caret),
    from: piece.at,
    to: piece.at + piece.text.length,
  };
}

export function unquote(text: string): string {
  return text.replace(/^"|"$/g, '');
}

export function quote(text: string): string {
  return /^[\w.\-/@*]+$/.test(text) ? text : `"${text.replaceAll('"', '')}"`;
}

/** The terms at the top of a query without OR and brackets; null where they cannot be told apart simply. */
export function simpleTerms(text: string): string[] | null {
  const terms: string[] = [];
  let term = '';
  for (const piece of pieces(text)) {
    if (piece.kind === 'bracket' || piece.text === 'OR' || piece.text === 'NOT') return null;
    if (piece.kind === 'space' || piece.text === 'AND') {
      if (term) terms.push(term);
      term = '';
    } else {
      term += piece.text;
    }
  }
  return term ? [...terms, term] : terms;
}

/** The server counts UTF-8 bytes; the page counts as strings do. */
export function indexOfByte(text: string, byte: number): number {
  const bytes = new TextEncoder().encode(text);
  return new TextDecoder().decode(bytes.subarray(0, byte)).length;
}

/** A trace id pasted into the bar: 32 hex digits, dashes and upper case allowed. */
export function asTraceId(text: string): string | null {
  const bare = text.trim().replaceAll('-', '').toLowerCase();
  return /^[0-9a-f]{32}$/.test(bare) ? bare : null;
}

/** Keys the query language names itself, offered before any data is known. */
export const SHORT_NAMES: { key: string; about: string }[] = [
  { key: 'has', about: 'has:error, has:key' },
  { key: 'kind', about: 'agent, llm, tool, policy …' },
  { key: 'agent', about: 'agent name' },
  { key: 'model', about: 'model name' },
  { key: 'tool', about: 'tool name' },
  { key: 'service', about: 'service name' },
  { key: 'name', about: 'span name' },
  { key: 'status', about: 'ok, error, unset' },
  { key: 'duration', about: 'duration:>1.5s' },
  { key: 'tokens', about: 'tokens:>10k' },
  { key: 'cost', about: 'cost:>0.05' },
  { key: 'provider', about: 'model provider' },
  { key: 'session', about: 'conversation id' },
  { key: 'user', about: 'user id' },
  { key: 'input', about: 'text in the input' },
  { key: 'output', about: 'text in the output' },
  { key: 'trace', about: 'trace id' },
  { key: 'span', about: 'span id' },
];

const KNOWN_VALUES: Record<string, string[]> = {
  has: ['error'],
  kind: 'agent llm tool retrieval embedding reranker guardrail policy approval evaluator workflow step memory plan mcp message http rpc db other'.split(
    ' ',
  ),
  status: ['error', 'ok', 'unset'],
};

export function knownValues(key: string): string[] {
  return KNOWN_VALUES[key] ?? [];
}
