// Sends one trace of two spans, a log record and a counter with the OpenTelemetry Node SDK; prints what to look for.
import { randomUUID } from "node:crypto";
import { SpanStatusCode, context, trace } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const [protocol, endpoint] = process.argv.slice(2);
const [{ OTLPTraceExporter }, { OTLPLogExporter }, { OTLPMetricExporter }] = await Promise.all(
  ["trace", "logs", "metrics"].map((signal) => import(`@opentelemetry/exporter-${signal}-otlp-${protocol}`)),
);
const url = (signal) => (protocol === "grpc" ? endpoint : `${endpoint}/v1/${signal}`);
const service = `node-${protocol}-${randomUUID().slice(0, 8)}`;
const metric = `${service}.requests`;
const resource = resourceFromAttributes({ "service.name": service });

const tracers = new NodeTracerProvider({
  resource,
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: url("traces") }))],
});
tracers.register();
const logs = new LoggerProvider({
  resource,
  processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter({ url: url("logs") }) })],
});
const meters = new MeterProvider({
  resource,
  readers: [
    new PeriodicExportingMetricReader({
      exporter: new OTLPMetricExporter({ url: url("metrics") }),
      exportIntervalMillis: 3_600_000,
    }),
  ],
});

const tracer = tracers.getTracer("e2e");
const root = tracer.startSpan("chat gpt-4o", {
  attributes: { "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o" },
});
context.with(trace.setSpan(context.active(), root), () => {
  logs.getLogger("e2e").emit({ body: "hello from node", severityNumber: 9, context: context.active() });
  const child = tracer.startSpan("POST /chat/completions");
  child.setStatus({ code: SpanStatusCode.ERROR, message: "429" });
  child.end();
});
root.end();
meters.getMeter("e2e").createCounter(metric).add(7);

await Promise.all([tracers.forceFlush(), logs.forceFlush(), meters.forceFlush()]);
console.log(JSON.stringify({ service, metric, traceId: root.spanContext().traceId }));
await Promise.all([tracers.shutdown(), logs.shutdown(), meters.shutdown()]);
