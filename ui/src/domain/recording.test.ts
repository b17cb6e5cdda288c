// Each convention's own setting.
import { expect, test } from 'vitest';
import { recordingOf } from './recording';

const GENAI = ['gen_ai.operation.name', 'gen_ai.request.model'];
const OPENTELEMETRY = 'OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true';
const OPENLLMETRY = 'TRACELOOP_TRACE_CONTENT=true';
const OPENINFERENCE = 'OPENINFERENCE_HIDE_INPUTS=false OPENINFERENCE_HIDE_OUTPUTS=false';
const VERCEL = 'experimental_telemetry: { recordInputs: true, recordOutputs: true }';
const PYDANTIC = 'InstrumentationSettings(include_content=True)';

test.each([
  ['opentelemetry.instrumentation.openai_v2', GENAI, OPENTELEMETRY],
  ['opentelemetry.instrumentation.anthropic', GENAI, OPENTELEMETRY],
  ['', [], OPENTELEMETRY],
  ['my.own', GENAI, OPENTELEMETRY],
  ['opentelemetry.instrumentation.anthropic', [...GENAI, 'gen_ai.usage.total_tokens'], OPENLLMETRY],
  ['opentelemetry.instrumentation.openai.v1', [...GENAI, 'gen_ai.is_streaming'], OPENLLMETRY],
  ['traceloop.tracer', ['traceloop.span.kind'], OPENLLMETRY],
  ['my.own', ['llm.request.type'], OPENLLMETRY],
  ['openinference.instrumentation.openai', ['input.value'], OPENINFERENCE],
  ['my.own', ['openinference.span.kind'], OPENINFERENCE],
  ['ai', ['ai.operationId', ...GENAI], VERCEL],
  ['next.js', ['ai.telemetry.functionId'], VERCEL],
  ['pydantic-ai', GENAI, PYDANTIC],
  ['rig', GENAI, 'record_telemetry_content'],
  ['rigging', GENAI, OPENTELEMETRY],
  ['com.anthropic.claude_code.tracing', ['span.type'], 'OTEL_LOG_USER_PROMPTS=1'],
])('%s with %j', (scope, keys, setting) => {
  const span = {
    name: 'chat',
    kind: 'llm',
    scope: { name: scope },
    attributes: keys.map((key) => ({ key })),
  };
  expect(recordingOf(span)?.setting).toBe(setting);
});

test('no setting has log events tell what was said to a model', () => {
  const attributes = [{ key: 'clew.made_of' }];
  const call = { name: 'chat', kind: 'llm', scope: { name: 'com.anthropic.claude_code.events' }, attributes };
  expect(recordingOf(call)).toBeNull();
  expect(recordingOf({ ...call, kind: 'agent' })?.setting).toBe('OTEL_LOG_USER_PROMPTS=1');
});

test('what tools were given has its own setting in Claude Code', () => {
  const span = { name: 'claude_code.tool', kind: 'tool', scope: { name: '' }, attributes: [] };
  expect(recordingOf(span)).toEqual({ sender: 'Claude Code', setting: 'OTEL_LOG_TOOL_DETAILS=1' });
});
