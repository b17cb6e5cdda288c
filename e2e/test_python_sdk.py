"""The OpenTelemetry Python SDK, unchanged, over gRPC and HTTP: traces, logs and metrics."""

import logging
import uuid

import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode


def exporters(clew, protocol):
    if protocol == "grpc":
        options = {"endpoint": f"http://127.0.0.1:{clew.grpc}", "insecure": True}
        return GrpcSpans(**options), GrpcLogs(**options), GrpcMetrics(**options)
    options = {"compression": Compression.Gzip} if protocol == "http+gzip" else {}
    return tuple(
        kind(endpoint=f"{clew.otlp_http}/v1/{signal}", **options)
        for kind, signal in ((HttpSpans, "traces"), (HttpLogs, "logs"), (HttpMetrics, "metrics"))
    )


@pytest.mark.parametrize("protocol", ["grpc", "http", "http+gzip"])
def test_all_three_signals(clew, protocol):
    service = f"python-{protocol}-{uuid.uuid4().hex[:8]}".replace("+", "-")
    spans, logs, metrics = exporters(clew, protocol)
    resource = Resource.create({"service.name": service, "service.version": "1.0.0"})
    tracer_provider = TracerProvider(resource=resource)
    tracer_provider.add_span_processor(BatchSpanProcessor(spans))
    logger_provider = LoggerProvider(resource=resource)
    logger_provider.add_log_record_processor(BatchLogRecordProcessor(logs))
    reader = PeriodicExportingMetricReader(metrics, export_interval_millis=3_600_000)
    meter_provider = MeterProvider(resource=resource, metric_readers=[reader])

    logger = logging.getLogger(service)
    logger.setLevel(logging.INFO)
    logger.addHandler(LoggingHandler(logger_provider=logger_provider))
    meter = meter_provider.get_meter("e2e")
    requests_total = meter.create_counter("e2e.requests", unit="1")
    latency = meter.create_histogram("e2e.latency", unit="s")

    tracer = tracer_provider.get_tracer("e2e", "0.1")
    with tracer.start_as_current_span("invoke_agent planner") as root:
        root.set_attributes({
            "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner",
            "big": 2**62 + 1, "list": ["a", "b"], "ratio": 0.5, "yes": True,
        })
        trace_id = format(root.get_span_context().trace_id, "032x")
        logger.info("Processing query")
        with tracer.start_as_current_span("execute_tool search") as tool:
            tool.set_attributes({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"})
            tool.record_exception(ValueError("no such page"))
            tool.set_status(Status(StatusCode.ERROR, "no such page"))
            tool_id = format(tool.get_span_context().span_id, "016x")
            logger.error("Query processing failed")
            latency.record(0.25, {"tool": "search"})
    requests_total.add(3, {"outcome": "success"})
    # Flushing returns when the server has acknowledged: from here on everything must be in every answer.
    assert tracer_provider.force_flush() and logger_provider.force_flush() and meter_provider.force_flush()

    summary = clew.get("/api/v1/traces", q=f"service:{service}")["traces"]
    assert [each["traceId"] for each in summary] == [trace_id]
    assert summary[0]["rootName"] == "invoke_agent planner"
    assert summary[0]["spans"] == 2 and summary[0]["errors"] == 1
    assert summary[0]["status"] == "error" and summary[0]["kinds"] == {"agent": 1, "tool": 1}

    span = clew.get(f"/api/v1/traces/{trace_id}/spans/{tool_id}")
    assert span["status"] == {"code": "error", "message": "no such page"}
    assert span["events"][0]["name"] == "exception" and span["kind"] == "tool"

    trace = clew.trace(trace_id)
    tags = {tag["key"]: tag for each in trace["spans"] for tag in each["tags"]}
    assert tags["big"] == {"key": "big", "type": "int64", "value": str(2**62 + 1)}
    assert service in clew.get("/api/services")["data"]
    assert set(clew.get(f"/api/services/{service}/operations")["data"]) == {"invoke_agent planner", "execute_tool search"}

    records = clew.get("/api/logs", trace_id=trace_id)["logs"]
    assert [each["body"]["value"] for each in records] == ["Processing query", "Query processing failed"]
    assert records[1]["spanId"] == tool_id and records[1]["severityText"] == "ERROR"

    series = clew.get("/api/v1/metrics/e2e.requests")["series"]
    mine = [each for each in series if each["service"] == service]
    assert len(mine) == 1 and mine[0]["points"][-1]["value"] == 3
    series = clew.get("/api/v1/metrics/e2e.latency")["series"]
    [mine] = [each for each in series if each["service"] == service]
    [exemplar] = mine["points"][-1]["exemplars"]
    assert (exemplar["value"], exemplar["traceId"], exemplar["spanId"]) == (0.25, trace_id, tool_id)

    tracer_provider.shutdown(), logger_provider.shutdown(), meter_provider.shutdown()
