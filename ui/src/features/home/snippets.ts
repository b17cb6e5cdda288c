// How to send telemetry here, for the clients that are met most.
export interface Snippet {
  name: string;
  label: string;
  about: string;
  code: string;
}

export interface Addresses {
  grpc: string;
  http: string;
}

export function snippets({ grpc, http }: Addresses): Snippet[] {
  return [
    {
      name: 'env',
      label: 'Env vars',
      about: 'For every OpenTelemetry SDK, in any language.',
      code: `export OTEL_EXPORTER_OTLP_ENDPOINT=${http}
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
export OTEL_SERVICE_NAME=my-agent
# prompts and answers are recorded only if you say so
export OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true`,
    },
    {
      name: 'python',
      label: 'Python',
      about: 'No change in the code: the agent loads the instrumentation.',
      code: `pip install opentelemetry-distro opentelemetry-exporter-otlp-proto-http
opentelemetry-bootstrap -a install
OTEL_SERVICE_NAME=my-agent \\
OTEL_EXPORTER_OTLP_ENDPOINT=${http} \\
OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf \\
opentelemetry-instrument python agent.py`,
    },
    {
      name: 'node',
      label: 'Node',
      about: 'Loaded before your program.',
      code: `npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node
OTEL_SERVICE_NAME=my-agent \\
OTEL_EXPORTER_OTLP_ENDPOINT=${http} \\
node --require @opentelemetry/auto-instrumentations-node/register agent.js`,
    },
    {
      name: 'rust',
      label: 'Rust',
      about: 'With opentelemetry, opentelemetry_sdk and opentelemetry-otlp.',
      code: `let exporter = opentelemetry_otlp::SpanExporter::builder()
    .with_tonic()
    .with_endpoint("${grpc}")
    .build()?;
let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder()
    .with_batch_exporter(exporter)
    .build();
opentelemetry::global::set_tracer_provider(provider);`,
    },
    {
      name: 'go',
      label: 'Go',
      about: 'With go.opentelemetry.io/otel.',
      code: `exporter, err := otlptracehttp.New(ctx,
    otlptracehttp.WithEndpointURL("${http}/v1/traces"))
if err != nil {
    log.Fatal(err)
}
otel.SetTracerProvider(trace.NewTracerProvider(trace.WithBatcher(exporter)))`,
    },
    {
      name: 'collector',
      label: 'Collector',
      about: 'Add it to the exporters that you have.',
      code: `exporters:
  otlphttp/clew:
    endpoint: ${http}
service:
  pipelines:
    traces: { receivers: [otlp], exporters: [otlphttp/clew] }
    logs: { receivers: [otlp], exporters: [otlphttp/clew] }
    metrics: { receivers: [otlp], exporters: [otlphttp/clew] }`,
    },
    {
      name: 'prompt',
      label: 'Prompt for your coding agent',
      about: 'Paste it where your coding agent works.',
      code: `Instrument this project with OpenTelemetry. Send traces, metrics and logs by OTLP to
${http} (HTTP/protobuf) or ${grpc} (gRPC). Use the official SDK of each language used here and the
instrumentation libraries for the model client, HTTP and the database. Follow the GenAI semantic
conventions: a span per agent run (invoke_agent), model call (chat) and tool call (execute_tool), with
model, tokens, and the messages (gen_ai.input.messages, gen_ai.output.messages). Flush on exit. Then run
it once and tell me the trace id.`,
    },
    {
      name: 'cli',
      label: 'Agent CLIs',
      about: 'Coding agents on the command line that speak OpenTelemetry.',
      code: `# Claude Code
export CLAUDE_CODE_ENABLE_TELEMETRY=1
export OTEL_METRICS_EXPORTER=otlp OTEL_LOGS_EXPORTER=otlp
export OTEL_EXPORTER_OTLP_PROTOCOL=grpc
export OTEL_EXPORTER_OTLP_ENDPOINT=${grpc}

# Gemini CLI
gemini --telemetry --telemetry-target=local --telemetry-otlp-endpoint=${grpc}

# Codex: ~/.codex/config.toml
[otel]
exporter = { otlp-http = { endpoint = "${http}/v1/logs", protocol = "binary" } }`,
    },
  ];
}
