// Model messages: reading what a span recorded, and telling what is new in each call.
import type { Message, MessagePart, Truncated } from '../api/types';

export function isTruncated(value: unknown): value is Truncated {
  return typeof value === 'object' && value !== null && (value as Truncated).truncated === true;
}

/** The messages a field holds, however the sender wrote them; never throws. */
export function readMessages(value: unknown): Message[] {
  if (value === null || value === undefined || isTruncated(value)) return [];
  if (typeof value === 'string') return value ? [textMessage('', value)] : [];
  if (!Array.isArray(value))
    return typeof value === 'object' ? [readMessage(value as Record<string, unknown>)] : [];
  if (value.length > 0 && value.every((part) => isPart(part)))
    return [{ role: '', parts: value as MessagePart[] }];
  return value.map((entry) =>
    typeof entry === 'object' && entry !== null
      ? readMessage(entry as Record<string, unknown>)
      : textMessage('', String(entry)),
  );
}

/** System instructions are a list of parts without messages around them. */
function isPart(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'type' in value && !('role' in value);
}

function textMessage(role: string, content: string): Message {
  return { role, parts: [{ type: 'text', content }] };
}

function readMessage(entry: Record<string, unknown>): Message {
  const role = typeof entry.role === 'string' ? entry.role : '';
  const finish = typeof entry.finish_reason === 'string' ? { finish_reason: entry.finish_reason } : {};
  if (Array.isArray(entry.parts)) return { role, parts: entry.parts.map(readPart), ...finish };
  if (typeof entry.content === 'string') return { ...textMessage(role, entry.content), ...finish };
  if (Array.isArray(entry.content)) return { role, parts: entry.content.map(readPart), ...finish };
  return { role, parts: [{ type: 'json', content: entry }], ...finish };
}

function readPart(part: unknown): MessagePart {
  if (typeof part === 'string') return { type: 'text', content: part };
  if (typeof part !== 'object' || part === null) return { type: 'text', content: String(part) };
  const known = part as MessagePart;
  const type = typeof known.type === 'string' ? known.type : 'json';
  const content = known.content ?? known.text;
  return { ...known, type, ...(content === undefined ? {} : { content }) };
}

/** Same role and same parts: the same message. */
export function fingerprint(message: Message): string {
  return JSON.stringify([message.role, message.parts]);
}

export interface NewMessages {
  earlier: number;
  fresh: Message[];
}

/** Splits a call's input into what the call before it already held (or answered) and what is new. */
export function newMessages(before: Message[], input: Message[]): NewMessages {
  const known = new Map<string, number>();
  for (const message of before) {
    const key = fingerprint(message);
    known.set(key, (known.get(key) ?? 0) + 1);
  }
  const fresh = input.filter((message) => {
    const key = fingerprint(message);
    const left = known.get(key) ?? 0;
    if (left > 0) known.set(key, left - 1);
    return left === 0;
  });
  return { earlier: input.length - fresh.length, fresh };
}

/** The text of a part, whatever its kind. */
export function partText(part: MessagePart): string {
  const content = part.content ?? part.text ?? part.result ?? part.response ?? part.arguments;
  if (typeof content === 'string') return content;
  if (content === undefined || content === null) return '';
  return prettyJson(content);
}

export function prettyJson(value: unknown): string {
  return JSON.stringify(value, null, 2) ?? '';
}

/** A JSON text indented; any other text as it is. Numbers are not re-read, so none loses digits. */
export function prettyText(text: string): string {
  const first = text.trimStart()[0];
  if ((first !== '{' && first !== '[') || /\d{16}/.test(text)) return text;
  try {
    return prettyJson(JSON.parse(text));
  } catch {
    return text;
  }
}
