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

/** An order through three services; without its context, the mailer begins a trace of its own. */
export function order(trace, { lost = null } = {}) {
  const ms = (value) => BigInt(value) * 1_000_000n;
  const start = BigInt(Date.now()) * 1_000_000n - ms(5000);
  const step = (number, parent, name, kind, from, length) =>
    span({ trace, number, parent, name, kind, start: start + ms(from), duration: ms(length) });
  const received = step(3, 2, 'process order', 5, 300, 200);
  if (lost !== null) {
    delete received.parentSpanId;
    received.traceId = traceIdOf(lost);
  }
  const services = [
    request([step(0, undefined, 'POST /orders', 2, 0, 200)], 'gateway'),
    request([step(1, 0, 'POST /buy', 2, 10, 150), step(2, 1, 'publish order', 4, 100, 20)], 'shop'),
    request([received], 'mailer'),
  ];
  return { resourceSpans: services.flatMap(({ resourceSpans }) => resourceSpans) };
}

/** A turn of a conversation: a call that repeats all that was said before it; without `content` it tells nothing. */
export function conversationTurn(trace, conversation, turn, { content = true, model = 'gpt-4o' } = {}) {
  const ms = (value) => BigInt(value) * 1_000_000n;
  const start = BigInt(Date.now()) * 1_000_000n - ms(600_000 - turn * 20_000);
  const message = (role, content) => ({ role, parts: [{ type: 'text', content }] });
  const earlier = Array.from({ length: turn - 1 }, (_, index) => [
    message('user', `Question ${index + 1}`),
    message('assistant', `Answer ${index + 1}`),
  ]).flat();
  const said = [
    text('gen_ai.system_instructions', JSON.stringify([{ type: 'text', content: 'Be short.' }])),
    text('gen_ai.input.messages', JSON.stringify([...earlier, message('user', `Question ${turn}`)])),
    text('gen_ai.output.messages', JSON.stringify([message('assistant', `Answer ${turn}`)])),
  ];
  return request([
    span({
      trace,
      number: 0,
      name: 'invoke_agent helper',
      start,
      duration: ms(400 + turn * 100),
      attributes: [
        text('gen_ai.operation.name', 'invoke_agent'),
        text('gen_ai.agent.name', 'helper'),
        text('gen_ai.conversation.id', conversation),
      ],
    }),
    span({
      trace,
      number: 1,
      parent: 0,
      name: `chat ${model}`,
      kind: 3,
      start: start + ms(10),
      duration: ms(300),
      attributes: [
        text('gen_ai.operation.name', 'chat'),
        text('gen_ai.request.model', model),
        text('gen_ai.conversation.id', conversation),
        int('gen_ai.usage.input_tokens', 100 * turn),
        int('gen_ai.usage.output_tokens', 20),
        ...(content ? said : []),
      ],
    }),
  ]);
}

/** A tool that fails and is called again, a wait for a person, and a call of a model that another repeats. */
export function retriedRun(trace) {
  const ms = (value) => BigInt(value) * 1_000_000n;
  const start = BigInt(Date.now()) * 1_000_000n - ms(10_000);
  const tool = [text('gen_ai.operation.name', 'execute_tool'), text('gen_ai.tool.name', 'book')];
  const chat = [
    text('gen_ai.operation.name', 'chat'),
    text('gen_ai.request.model', 'gpt-4o'),
    int('gen_ai.usage.input_tokens', 100),
    int('gen_ai.usage.output_tokens', 20),
  ];
  const step = (number, parent, name, from, length, attributes, status) =>
    span({ trace, number, parent, name, start: start + ms(from), duration: ms(length), attributes, status });
  return request([
    step(0, undefined, 'invoke_agent clerk', 0, 5000, [text('gen_ai.operation.name', 'invoke_agent')]),
    step(1, 0, 'chat outer', 10, 1000, chat),
    step(2, 1, 'chat inner', 20, 900, chat),
    step(3, 0, 'execute_tool book', 1100, 300, tool, { code: 2, message: 'no room' }),
    step(4, 0, 'execute_tool book', 1500, 300, tool),
    step(5, 0, 'ask the manager', 2000, 2000, [text('approval.id', '7')]),
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
