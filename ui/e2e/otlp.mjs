// Telemetry to look at, as OTLP/JSON requests.
const hex = (value, digits) => value.toString(16).padStart(digits, '0');
export const traceIdOf = (number) => hex(0xc1e70000 + number, 32);
export const spanIdOf = (number) => hex(number + 1, 16);

const text = (key, value) => ({ key, value: { stringValue: value } });
const int = (key, value) => ({ key, value: { intValue: String(value) } });

export function span({
  trace,
  number,
  parent,
  name,
  start,
  duration,
  attributes = [],
  status,
  kind = 1,
  events = [],
}) {
  return {
    traceId: traceIdOf(trace),
    spanId: spanIdOf(number),
    ...(parent === undefined ? {} : { parentSpanId: spanIdOf(parent) }),
    name,
    kind,
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + duration),
    attributes,
    events,
    status: status ?? {},
  };
}

export function request(spans, service = 'e2e') {
  return {
    resourceSpans: [
      { resource: { attributes: [text('service.name', service)] }, scopeSpans: [{ scope: {}, spans }] },
    ],
  };
}

export async function send(otlp, body) {
  const response = await fetch(`${otlp}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`/v1/traces answered ${response.status}: ${await response.text()}`);
}

/** An agent that calls a model and a tool, which fails. */
export function agentRun(trace, { name = 'invoke_agent planner', ago = 0n } = {}) {
  const start = BigInt(Date.now()) * 1_000_000n - ago - 2_000_000_000n;
  const ms = (value) => BigInt(value) * 1_000_000n;
  const message = (role, content) => JSON.stringify([{ role, parts: [{ type: 'text', content }] }]);
  return request([
    span({
      trace,
      number: 0,
      name,
      start,
      duration: ms(1500),
      attributes: [text('gen_ai.operation.name', 'invoke_agent'), text('gen_ai.agent.name', 'planner')],
    }),
    span({
      trace,
      number: 1,
      parent: 0,
      name: 'chat gpt-4o',
      kind: 3,
      start: start + ms(20),
      duration: ms(700),
      attributes: [
        text('gen_ai.operation.name', 'chat'),
        text('gen_ai.provider.name', 'openai'),
        text('gen_ai.request.model', 'gpt-4o'),
        int('gen_ai.usage.input_tokens', 120),
        int('gen_ai.usage.output_tokens', 30),
        text('gen_ai.input.messages', message('user', `Refund order ${trace}`)),
        text('gen_ai.output.messages', message('assistant', 'I will look it up.')),
      ],
    }),
    span({
      trace,
      number: 2,
      parent: 0,
      name: 'execute_tool lookup_order',
      start: start + ms(740),
      duration: ms(500),
      attributes: [
        text('gen_ai.operation.name', 'execute_tool'),
        text('gen_ai.tool.name', 'lookup_order'),
        text('gen_ai.tool.call.arguments', '{"order":4711}'),
      ],
      status: { code: 2, message: 'order service timed out' },
      events: [
        {
          timeUnixNano: String(start + ms(1200)),
          name: 'exception',
          attributes: [
            text('exception.type', 'TimeoutError'),
            text('exception.message', 'no answer after 500 ms'),
          ],
        },
      ],
    }),
  ]);
}

/** Sends one trace of so many spans, in requests of bounded size. */
export async function sendLargeTrace(otlp, trace, count, perRequest = 5000) {
  const start = BigInt(Date.now() - 60_000) * 1_000_000n;
  const names = ['chat gpt-4o', 'execute_tool search', 'GET /documents', 'SELECT documents', 'rank'];
  for (let from = 0; from < count; from += perRequest) {
    const spans = Array.from({ length: Math.min(perRequest, count - from) }, (_, index) => {
      const number = from + index;
      // Eight children each: deep enough to fold, wide enough to scroll.
      const parent = number === 0 ? undefined : Math.floor((number - 1) / 8);
      return span({
        trace,
        number,
        parent,
        name: names[number % names.length],
        start: start + BigInt(number) * 500_000n,
        duration: BigInt(1 + (number % 50)) * 1_000_000n,
        attributes:
          number % 5 === 0
            ? [text('gen_ai.operation.name', 'chat'), text('gen_ai.request.model', 'gpt-4o')]
            : [],
        status: number % 1000 === 999 ? { code: 2, message: 'failed' } : undefined,
      });
    });
    await send(otlp, request(spans));
  }
}
