"""The report of what is wrong with traces themselves, with spans of the unchanged Python SDK."""

import time
import uuid

import pytest
from clew import wait_until
from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind


class Service:
    """A service with an SDK of its own, as if it were a process."""

    def __init__(self, clew, name):
        resource = Resource.create({"service.name": name, "service.instance.id": uuid.uuid4().hex})
        self.provider = TracerProvider(resource=resource)
        exporter = OTLPSpanExporter(endpoint=f"{clew.otlp_http}/v1/traces")
        self.provider.add_span_processor(BatchSpanProcessor(exporter))
        self.tracer = self.provider.get_tracer("e2e")

    def span(self, name, kind=SpanKind.INTERNAL, carrier=None, **options):
        if carrier is not None:
            options["context"] = extract(carrier)
        return self.tracer.start_as_current_span(name, kind=kind, **options)


class Shop:
    """Three services: requests, a call between two of them, and a message to the third."""

    def __init__(self, clew):
        self.gateway, self.stock, self.mailer = (Service(clew, name) for name in ("gateway", "stock", "mailer"))

    def order(self, fresh=False, with_headers=True):
        """An order; when `fresh`, one step forgets the context, and without headers the message does."""
        call, message = {}, {}
        with self.gateway.span("POST /orders", SpanKind.SERVER, carrier={}):
            with self.gateway.span("POST", SpanKind.CLIENT):
                inject(call)
                with self.stock.span("POST /reserve", SpanKind.SERVER, carrier=call):
                    with self.stock.span("reserve", context=context.Context() if fresh else None) as step:
                        last = step.get_span_context()
                    with self.stock.span("publish order", SpanKind.PRODUCER):
                        inject(message)
        with self.mailer.span("process order", SpanKind.CONSUMER, carrier=message if with_headers else {}) as received:
            with self.mailer.span("send"):
                pass
        if not with_headers:
            last = received.get_span_context()
        return trace.format_trace_id(last.trace_id), trace.format_span_id(last.span_id)

    def stop(self):
        for service in (self.gateway, self.stock, self.mailer):
            assert service.provider.force_flush()
            service.provider.shutdown()


@pytest.fixture
def server(own_clew):
    return own_clew().start()


def findings(clew, **parameters):
    answer = clew.get("/api/v1/findings", **parameters)
    assert answer["complete"] and answer["incompleteReason"] is None
    return answer


def test_a_healthy_system_lists_nothing(server):
    shop = Shop(server)
    for _ in range(8):
        shop.order()
    shop.stop()
    answer = findings(server)
    assert answer["findings"] == [] and answer["spans"] == str(8 * 7)
    assert set(answer["totals"].values()) == {"0"}


@pytest.mark.parametrize("orders", [0, 5])
def test_a_child_from_a_fresh_context_is_listed(server, orders):
    """Also when nothing else is known of the operation: nothing but its parent was at work."""
    shop = Shop(server)
    for _ in range(orders):
        shop.order()
    trace_id, span_id = shop.order(fresh=True)
    shop.stop()
    (group,) = findings(server)["findings"]
    assert (group["kind"], group["service"], group["operation"]) == ("suspiciousRoot", "stock", "reserve")
    assert (group["spans"], group["of"]) == ("1", str(orders + 1))
    (example,) = group["examples"]
    assert (example["traceId"], example["spanId"]) == (trace_id, span_id)
    why = f"{orders} of the {orders + 1} spans" if orders else 'within "POST /reserve"'
    assert why in example["why"] and "context" in group["help"]


def test_a_message_without_headers_is_listed(server):
    shop = Shop(server)
    for _ in range(3):
        shop.order()
    trace_id, span_id = shop.order(with_headers=False)
    shop.stop()
    answer = findings(server)
    (group,) = answer["findings"]
    assert (group["kind"], group["service"], group["operation"]) == ("brokenChain", "mailer", "process order")
    assert [(each["traceId"], each["spanId"]) for each in group["examples"]] == [(trace_id, span_id)]
    assert answer["totals"] == {"brokenChain": "1", "suspiciousRoot": "0", "orphan": "0", "clockSkew": "0"}
    run = server.get(f"/api/v1/traces/{trace_id}/run")
    assert [(each["kind"], each["spanId"]) for each in run["findings"]] == [("brokenChain", span_id)]
    assert findings(server, service="gateway")["findings"] == []
    assert findings(server, kind="orphan")["findings"] == []


def test_parents_that_never_came_and_clocks_that_differ(server):
    """Two minutes after the last span of a trace no parent is waited for."""
    now = time.time_ns()
    minutes = 60 * 10**9

    def span(trace_id, number, parent, name, ago, early=0):
        start = now - ago - early
        return {
            "traceId": trace_id, "spanId": f"{number:016x}", "parentSpanId": parent and f"{parent:016x}", "name": name, "kind": 2,
            "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + 10**7),
        }

    def send(service, *spans):
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
        server.post("/v1/traces", {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]})

    settled, going, skewed = ("a1" * 16, "b2" * 16, "c3" * 16)
    send("stock", span(settled, 2, 1, "GET /stock", 10 * minutes), span(going, 2, 1, "GET /stock", 0))
    send("gateway", span(skewed, 1, None, "GET /", 5 * minutes))
    send("stock", span(skewed, 2, 1, "GET /skewed", 5 * minutes, early=25 * 10**6))
    found = findings(server)["findings"]
    assert sorted((each["kind"], each["operation"], each["spans"]) for each in found) == [
        ("clockSkew", "GET /skewed", "1"), ("orphan", "GET /stock", "1"),
    ]
    by_kind = {each["kind"]: each["examples"][0] for each in found}
    assert by_kind["orphan"]["traceId"] == settled and "0000000000000001 never came" in by_kind["orphan"]["why"]
    assert by_kind["clockSkew"]["why"] == "it starts 25 ms before its parent, which gateway sent"
    # When the parent comes after all, nothing is wrong any more; also of a narrower range, and from disk.
    send("gateway", span(settled, 1, None, "GET /", 10 * minutes))
    assert findings(server, kind="orphan")["findings"] == []
    assert server.stop() == 0
    server.start()
    wait_until(lambda: findings(server)["totals"]["clockSkew"] == "1", 20, "the sealed spans are read")
    assert findings(server)["totals"]["orphan"] == "0"
