// Why a span holds no messages, arguments or results, and which setting makes its sender record them.
import type { Span } from '../api/types';

export interface Recording {
  /** Who is to be told. */
  sender: string;
  /** What to set, as one writes it. */
  setting: string;
}

type Sender = Pick<Span, 'name' | 'kind'> & {
  scope: { name: string };
  attributes: { key: string }[];
};

const OPENTELEMETRY: Recording = {
  sender: 'OpenTelemetry instrumentations',
  setting: 'OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true',
};

/** Attributes that OpenLLMetry alone writes: it shares the names of its scopes with OpenTelemetry's own. */
const OPENLLMETRY =
  /^(traceloop\.|llm\.request\.type$|gen_ai\.(is_streaming|openai\.api_base|usage\.total_tokens)$)/;

/** The first whose test holds; the most particular ones come first. */
const RECORDINGS: { matches: (span: Sender, has: (key: RegExp) => boolean) => boolean; tell: Recording }[] = [
  {
    matches: (span) => isClaudeCode(span) && span.kind === 'tool',
    tell: { sender: 'Claude Code', setting: 'OTEL_LOG_TOOL_DETAILS=1' },
  },
  { matches: isClaudeCode, tell: { sender: 'Claude Code', setting: 'OTEL_LOG_USER_PROMPTS=1' } },
  {
    matches: ({ scope }, has) =>
      scope.name.startsWith('openinference.instrumentation.') || has(/^openinference\./),
    tell: {
      sender: 'OpenInference',
      setting: 'OPENINFERENCE_HIDE_INPUTS=false OPENINFERENCE_HIDE_OUTPUTS=false',
    },
  },
  {
    matches: ({ scope }, has) => scope.name === 'ai' || has(/^ai\.(operationId|telemetry\.)/),
    tell: {
      sender: 'the Vercel AI SDK',
      setting: 'experimental_telemetry: { recordInputs: true, recordOutputs: true }',
    },
  },
  {
    matches: ({ scope }, has) => /^pydantic[-_]ai/.test(scope.name) || has(/^pydantic_ai\./),
    tell: { sender: 'Pydantic AI', setting: 'InstrumentationSettings(include_content=True)' },
  },
  {
    matches: ({ scope }, has) => /^rig([-_:.]|$)/.test(scope.name) || has(/^rig\./),
    tell: { sender: 'rig', setting: 'record_telemetry_content' },
  },
  {
    matches: ({ scope }, has) => scope.name.startsWith('traceloop') || has(OPENLLMETRY),
    tell: { sender: 'OpenLLMetry', setting: 'TRACELOOP_TRACE_CONTENT=true' },
  },
];

function isClaudeCode(span: Sender): boolean {
  return span.scope.name.startsWith('com.anthropic.claude_code') || span.name.startsWith('claude_code.');
}

/** How to have the sender of this span record content; null where no setting does: events that runs are made of tell
 * what was asked of the agent, but not of the model. */
export function recordingOf(span: Sender): Recording | null {
  const has = (key: RegExp) => span.attributes.some((attribute) => key.test(attribute.key));
  if (span.kind === 'llm' && has(/^clew\.made_of$/)) return null;
  return RECORDINGS.find(({ matches }) => matches(span, has))?.tell ?? OPENTELEMETRY;
}
