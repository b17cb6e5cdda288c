// The server's answers, as docs/api.md describes them. Times and 64-bit integers are decimal strings.
export type Status = 'error' | 'ok' | 'unset';

export interface TraceSummary {
  traceId: string;
  rootName: string;
  rootService: string;
  rootKind: string;
  start: string;
  duration: string;
  status: Status;
  ownStatus: Status;
  spans: number;
  errors: number;
  agents: string[];
  services: string[];
  models: string[];
  unnamed: { agents: number; services: number; models: number };
  kinds: Record<string, number>;
  inputTokens: string;
  outputTokens: string;
  cachedTokens: string;
  cost: number | null;
  reportedCost: number | null;
  computedCost: number | null;
  unpricedModels: string[];
  input: string | null;
  running: boolean;
  conversation: string | null;
  orphans: number;
}

export interface TracePage {
  traces: TraceSummary[];
  cursor: string | null;
  complete: boolean;
  incompleteReason: string | null;
  elapsedMs: number;
}

export interface QueryError {
  at: number;
  length: number;
  message: string;
}

export interface ParsedQuery {
  valid: boolean;
  canonical: string | null;
  error: QueryError | null;
}

export interface Attribute {
  key: string;
  type: 'string' | 'bool' | 'int' | 'double' | 'bytes' | 'array' | 'map' | 'empty';
  value: unknown;
  length?: number;
  truncated?: boolean;
}

export interface SpanEvent {
  time: string;
  name: string;
  attributes: Attribute[];
}

export interface SpanLink {
  traceId: string;
  spanId: string;
  traceState: string;
  attributes: Attribute[];
}

export interface MessagePart {
  type: string;
  content?: unknown;
  [key: string]: unknown;
}

export interface Message {
  role: string;
  parts: MessagePart[];
  finish_reason?: string;
}

export interface Truncated {
  truncated: true;
  length: number;
  field: string;
}

export interface Generation {
  operation: string | null;
  provider: string | null;
  model: string | null;
  agent: string | null;
  tool: string | null;
  conversation: string | null;
  inputTokens: string | null;
  outputTokens: string | null;
  cachedTokens: string | null;
  cost: number | null;
  finishReasons: string[] | null;
  timeToFirstTokenMs: number | null;
  messages: Record<MessageField, unknown>;
}

/** Where the whole of a body can be asked for. */
export interface SpanPlace {
  traceId: string;
  spanId: string;
}

export type MessageField = 'system' | 'input' | 'output' | 'toolDefinitions' | 'toolArguments' | 'toolResult';

export interface Span {
  traceId: string;
  spanId: string;
  parentSpanId: string | null;
  name: string;
  kind: string;
  spanKind: string;
  service: string;
  agent: string;
  subject: string;
  start: string;
  end: string | null;
  duration: string | null;
  status: { code: Status; message: string };
  traceState: string;
  flags: number;
  attributes: Attribute[];
  resource: { attributes: Attribute[]; schemaUrl: string };
  scope: { name: string; version: string; attributes: Attribute[]; schemaUrl: string };
  events: SpanEvent[];
  links: SpanLink[];
  dropped: { attributes: number; events: number; links: number };
  gen: Generation | null;
}

export interface LogRecord {
  time: string;
  observedTime: string;
  severity: number;
  severityText: string;
  eventName: string;
  body: Attribute | { type: string; value: unknown } | null;
  service: string;
  traceId: string | null;
  spanId: string | null;
  attributes: Attribute[];
}

export interface Field {
  key: string;
  scope: 'span' | 'resource' | 'intrinsic';
  types: string[];
  alias: string | null;
}

export interface FieldValue {
  value: string;
  count: string;
}

export interface ReceiverEvent {
  time: string;
  receiver: string;
  outcome: 'stored' | 'rejected' | 'hint';
  summary: string;
  hint: string | null;
  items: number;
}

/** Something that is wrong with what is stored, and how to fix it. */
export interface StorageProblem {
  kind: string;
  severity: 'notice' | 'degraded' | 'failing';
  message: string;
}

export interface ServerStatus {
  version: string;
  started: string;
  ready: boolean;
  stored: { spans: string; logs: string; metrics: string };
  spansPerSecond: number;
  diskBytes: string;
  diskFreeBytes: string;
  hotBytes: string;
  blocks: number;
  damagedBlocks: number;
  retention: { maxAge: string | null; maxBytes: string | null };
  /** Null when every trace is kept. */
  sampling: {
    rest: number;
    keep: string;
    wait: string;
    keptTraces: string;
    droppedTraces: string;
    keptSpans: string;
    droppedSpans: string;
    earlyTraces: string;
    lateTraces: string;
  } | null;
  pageBuilt: boolean;
  receivers: { name: string; address: string; accepting: boolean }[];
  health: 'ok' | 'backPressure' | 'degraded' | 'rejecting';
  /** What is wrong with what is stored, the worst first. */
  problems: StorageProblem[];
  events: ReceiverEvent[];
}

/** What calls of models used and cost; a cost that nobody knows is null. */
export interface Account {
  calls: number;
  inputTokens: string;
  outputTokens: string;
  cachedTokens: string;
  cost: number | null;
  reportedCost: number | null;
  computedCost: number | null;
  unpricedModels: string[];
}

export type RunPart = 'model' | 'tool' | 'wait' | 'gap';

export interface PathSegment {
  spanId: string;
  start: string;
  length: string;
  part: RunPart;
}

/** A trace as the run of an agent. */
export interface Run {
  state: 'running' | 'succeeded' | 'recovered' | 'failed';
  total: Account;
  byModel: (Account & { name: string })[];
  byAgent: (Account & { name: string })[];
  firstFailure: {
    spanId: string;
    name: string;
    message: string;
    errorType: string | null;
    failedSpans: number;
  } | null;
  criticalPath: { length: string; parts: Record<RunPart, string>; segments: PathSegment[] };
  calls: RunCall[];
  retries: { spanId: string; of: string }[];
  waits: { approval: string; queue: string };
  findings: { kind: string; spanId: string | null; detail: string }[];
}

/** What a call of a model used, how fast it was, and whether it counts. */
export interface RunCall {
  spanId: string;
  counted: boolean;
  notCountedBecause: string | null;
  model: string | null;
  duration: string | null;
  timeToFirstTokenMs: number | null;
  tokensPerSecond: number | null;
  inputTokens: string;
  outputTokens: string;
  reportedCost: number | null;
  computedCost: { dollars: number } | null;
}

/** A conversation over any number of traces, as the list has it. */
export interface Conversation {
  name: string;
  spans: number;
  traces: number;
  errors: number;
  usage: Account;
  first: string;
  last: string;
}

export interface ConversationPage {
  conversations: Conversation[];
  complete: boolean;
  incompleteReason: string | null;
}

/** With its turns, the oldest first; of more than are told, the newest. */
export interface ConversationDetail extends Conversation {
  complete: boolean;
  incompleteReason: string | null;
  turns: TraceSummary[];
}

export type FindingKind = 'brokenChain' | 'suspiciousRoot' | 'orphan' | 'clockSkew';

/** What is wrong with the place of an operation's spans in their traces. */
export interface FindingGroup {
  kind: FindingKind;
  service: string;
  operation: string;
  spanKind: string;
  spans: string;
  of: string;
  first: string;
  last: string;
  help: string;
  examples: { traceId: string; spanId: string; start: string; why: string }[];
}

export interface FindingPage {
  findings: FindingGroup[];
  totals: Record<FindingKind, string>;
  spans: string;
  complete: boolean;
  incompleteReason: string | null;
}

/** A call of a model as one reads it: what is new against the agent's call before it. */
export interface ModelCall {
  traceId: string;
  spanId: string;
  name: string;
  agent: string;
  model: string | null;
  start: string;
  duration: string | null;
  failed: boolean;
  inputTokens: string | null;
  outputTokens: string | null;
  sameSystem: boolean;
  system: unknown;
  earlierInput: number;
  newInput: unknown;
  output: unknown;
}
