// Attribute values as text, and the facts that a kind of span is read for first.
import type { Attribute, Span } from '../api/types';
import { formatCost, formatCount } from './format';
import { sessionPath } from './route';

type Value = { type?: string; value: unknown };

/** A value as one would write it; nested ones as JSON. */
export function plainValue(attribute: Value | null | undefined): string {
  if (!attribute || attribute.value === null || attribute.value === undefined) return '';
  if (typeof attribute.value === 'object') return JSON.stringify(nested(attribute), null, 2);
  return String(attribute.value);
}

/** Arrays and maps as plain JSON values. Integers stay text where a number would lose digits. */
function nested(attribute: Value): unknown {
  const { type, value } = attribute;
  if (type === 'map' && Array.isArray(value)) {
    return Object.fromEntries(value.map((entry: Attribute) => [entry.key, nested(entry)]));
  }
  if (type === 'array' && Array.isArray(value)) {
    return value.map((entry) =>
      typeof entry === 'object' && entry !== null ? nested(entry as Value) : entry,
    );
  }
  if (type === 'int' && typeof value === 'string')
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  return value;
}

export function attribute(span: Span, ...keys: string[]): string | null {
  for (const key of keys) {
    const found = span.attributes.find((candidate) => candidate.key === key);
    if (found) return plainValue(found);
  }
  return null;
}

export interface Fact {
  label: string;
  value: string;
  /** Where the page tells more of it. */
  href?: string;
}

const BY_KIND: Record<string, [label: string, ...keys: string[]][]> = {
  http: [
    ['Method', 'http.request.method', 'http.method'],
    ['URL', 'url.full', 'http.url', 'url.path', 'http.target'],
    ['Route', 'http.route'],
    ['Status', 'http.response.status_code', 'http.status_code'],
    ['Request size', 'http.request.body.size', 'http.request_content_length'],
    ['Response size', 'http.response.body.size', 'http.response_content_length'],
    ['Retries', 'http.request.resend_count'],
  ],
  rpc: [
    ['System', 'rpc.system.name', 'rpc.system'],
    ['Service', 'rpc.service'],
    ['Method', 'rpc.method'],
    ['Status', 'rpc.response.status_code', 'rpc.grpc.status_code'],
  ],
  db: [
    ['System', 'db.system.name', 'db.system'],
    ['Database', 'db.namespace', 'db.name'],
    ['Operation', 'db.operation.name', 'db.operation'],
    ['Statement', 'db.query.text', 'db.statement'],
    ['Rows', 'db.response.returned_rows'],
  ],
  message: [
    ['System', 'messaging.system'],
    ['Destination', 'messaging.destination.name', 'messaging.destination'],
    ['Operation', 'messaging.operation.name', 'messaging.operation.type', 'messaging.operation'],
    ['Message id', 'messaging.message.id'],
    ['Consumer group', 'messaging.consumer.group.name'],
  ],
  policy: [
    ['Policy', 'policy.name', 'policy.id', 'gen_ai.guardrail.name', 'guardrail.name'],
    ['Version', 'policy.version'],
    [
      'Decision',
      'policy.decision',
      'gen_ai.guardrail.result.value',
      'guardrail.decision',
      'guardrail.action',
    ],
    ['Reason', 'policy.reason', 'guardrail.reason'],
    ['Rules', 'policy.rules', 'policy.rule', 'policy.rule.id'],
  ],
  retrieval: [
    ['Query', 'gen_ai.retrieval.query.text', 'retrieval.query', 'db.query.text', 'input.value'],
    ['Source', 'gen_ai.data_source.id', 'db.collection.name'],
    ['Documents', 'retrieval.documents.count', 'db.response.returned_rows'],
  ],
  memory: [
    ['Store', 'gen_ai.memory.store.name'],
    ['Query', 'gen_ai.memory.query.text'],
    ['Results', 'gen_ai.memory.search.result.count'],
  ],
  evaluator: [
    ['Evaluation', 'gen_ai.evaluation.name'],
    ['Score', 'gen_ai.evaluation.score.value'],
    ['Label', 'gen_ai.evaluation.score.label'],
    ['Explanation', 'gen_ai.evaluation.explanation'],
  ],
  embedding: [['Dimensions', 'gen_ai.embeddings.dimension.count']],
  tool: [
    ['Description', 'gen_ai.tool.description'],
    ['Type', 'gen_ai.tool.type'],
    ['Call id', 'gen_ai.tool.call.id'],
  ],
};

/** What the span says of itself, most telling first; unknown things are left out. */
export function facts(span: Span): Fact[] {
  const list: Fact[] = [];
  const add = (label: string, value: string | null | undefined) => {
    if (value !== null && value !== undefined && value !== '') list.push({ label, value });
  };
  for (const [label, ...keys] of BY_KIND[span.kind] ?? []) add(label, attribute(span, ...keys));
  const { gen } = span;
  if (gen) {
    add('Model', gen.model);
    add('Provider', gen.provider);
    add('Operation', gen.operation);
    add('Agent', gen.agent);
    add('Tool', gen.tool);
    if (gen.conversation)
      list.push({ label: 'Conversation', value: gen.conversation, href: sessionPath(gen.conversation) });
    add('Finish reason', gen.finishReasons?.join(', '));
    if (gen.timeToFirstTokenMs !== null)
      add('Time to first token', `${formatCount(gen.timeToFirstTokenMs)} ms`);
    for (const name of ['temperature', 'top_p', 'max_tokens', 'seed'])
      add(name, attribute(span, `gen_ai.request.${name}`));
    if (span.kind === 'llm' || gen.cost !== null) add('Cost', formatCost(gen.cost));
  }
  return list;
}

export interface Failure {
  type: string;
  message: string;
  stack: string;
}

/** The failure of a span, from its exception events or its status. */
export function failure(span: Span): Failure | null {
  const event = span.events.findLast((candidate) => candidate.name === 'exception');
  const of = (key: string) => plainValue(event?.attributes.find((candidate) => candidate.key === key));
  if (!event && span.status.code !== 'error') return null;
  return {
    type: of('exception.type') || attribute(span, 'error.type') || 'Error',
    message: of('exception.message') || span.status.message,
    stack: of('exception.stacktrace'),
  };
}

export interface Document {
  id: string;
  score: number | null;
  text: string;
}

/** What a retrieval found, best first as the sender ranked it. */
export function documents(span: Span): Document[] {
  const recorded = attribute(span, 'gen_ai.retrieval.documents', 'retrieval.documents');
  if (!recorded) return [];
  try {
    const list: unknown = JSON.parse(recorded);
    return Array.isArray(list) ? list.map(readDocument) : [];
  } catch {
    // Cut or not JSON: the attributes tab has it as it is.
    return [];
  }
}

function readDocument(entry: unknown, index: number): Document {
  if (typeof entry !== 'object' || entry === null)
    return { id: `#${index + 1}`, score: null, text: String(entry) };
  const fields = entry as Record<string, unknown>;
  const first = (...keys: string[]) => keys.map((key) => fields[key]).find((value) => value !== undefined);
  const score = Number(first('score', 'similarity', 'document.score'));
  const text = first('content', 'text', 'title', 'document.content');
  return {
    id: String(first('id', 'document.id', 'uri') ?? `#${index + 1}`),
    score: Number.isFinite(score) ? score : null,
    text: typeof text === 'string' ? text : '',
  };
}
