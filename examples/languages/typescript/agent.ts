// An agent that asks a model and calls a tool, instrumented with OpenTelemetry's SDK.
import { type Attributes, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { detectResources, envDetector } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

interface ToolCall {
  id: string;
  type: 'function';
  function: { name: string; arguments: string };
}

interface Message {
  role: string;
  content: string | null;
  tool_calls?: ToolCall[];
  tool_call_id?: string;
}

// OTEL_SERVICE_NAME names the service.
const provider = new NodeTracerProvider({
  resource: detectResources({ detectors: [envDetector] }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
});
provider.register();
const tracer = trace.getTracer('weather-agent');

const MODEL = 'gpt-4o';
const TOOLS = [
  {
    type: 'function',
    function: {
      name: 'get_weather',
      description: 'The weather of a city',
      parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    },
  },
];

const tools: Record<string, (input: { city: string }) => string> = { get_weather: ({ city }) => `sunny in ${city}` };

/** Runs the work in a span that ends with it, and says when it failed. */
function spanned<T>(name: string, attributes: Attributes, work: (span: Span) => Promise<T>, kind = SpanKind.INTERNAL): Promise<T> {
  return tracer.startActiveSpan(name, { kind, attributes }, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      span.recordException(error as Error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: String(error) });
      throw error;
    } finally {
      span.end();
    }
  });
}

function chat(messages: Message[]): Promise<Message> {
  const attributes = {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': MODEL,
    'gen_ai.input.messages': JSON.stringify(messages.map(parts)),
  };
  const ask = async (span: Span) => {
    const response = await fetch(`${process.env.OPENAI_BASE_URL}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: MODEL, messages, tools: TOOLS }),
    });
    if (!response.ok) throw new Error(`the model answered ${response.status}`);
    const { id, model, choices, usage } = await response.json();
    span.setAttributes({
      'gen_ai.response.id': id,
      'gen_ai.response.model': model,
      'gen_ai.response.finish_reasons': [choices[0].finish_reason],
      'gen_ai.usage.input_tokens': usage.prompt_tokens,
      'gen_ai.usage.output_tokens': usage.completion_tokens,
      'gen_ai.usage.cache_read.input_tokens': usage.prompt_tokens_details.cached_tokens,
      'gen_ai.output.messages': JSON.stringify([parts(choices[0].message)]),
    });
    return choices[0].message as Message;
  };
  return spanned(`chat ${MODEL}`, attributes, ask, SpanKind.CLIENT);
}

/** A message of OpenAI's in OpenTelemetry's form. */
function parts({ role, content, tool_calls = [], tool_call_id }: Message) {
  const said = content ? [{ type: 'text', content }] : [];
  const answered = [{ type: 'tool_call_response', id: tool_call_id, response: content }];
  const calls = tool_calls.map((call) => ({
    type: 'tool_call',
    id: call.id,
    name: call.function.name,
    arguments: JSON.parse(call.function.arguments),
  }));
  return { role, parts: [...(role === 'tool' ? answered : said), ...calls] };
}

function execute({ id, function: wanted }: ToolCall): Promise<string> {
  const attributes = {
    'gen_ai.operation.name': 'execute_tool',
    'gen_ai.tool.name': wanted.name,
    'gen_ai.tool.call.id': id,
    'gen_ai.tool.call.arguments': wanted.arguments,
  };
  return spanned(`execute_tool ${wanted.name}`, attributes, async (span) => {
    const result = tools[wanted.name](JSON.parse(wanted.arguments));
    span.setAttribute('gen_ai.tool.call.result', result);
    return result;
  });
}

function run(question: string): Promise<string> {
  const attributes = {
    'gen_ai.operation.name': 'invoke_agent',
    'gen_ai.agent.name': 'weather',
    'gen_ai.conversation.id': 'talk-1',
  };
  return spanned('invoke_agent weather', attributes, async () => {
    const messages: Message[] = [{ role: 'user', content: question }];
    for (;;) {
      const answer = await chat(messages);
      messages.push(answer);
      if (!answer.tool_calls?.length) return answer.content ?? '';
      for (const call of answer.tool_calls) {
        messages.push({ role: 'tool', tool_call_id: call.id, content: await execute(call) });
      }
    }
  });
}

console.log(await run('How is the weather in Paris?'));
await provider.shutdown();
