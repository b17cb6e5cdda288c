"""PromQL over what stock OpenTelemetry SDKs send, asked through Prometheus' HTTP API."""

import contextlib
import json
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
import requests
from clew import wait_until
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

DELTA = {Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA}


@contextlib.contextmanager
def meter(clew, service, temporality=None, views=(), interval=100, **attributes):
    """A meter of the stock SDK that sends often."""
    exporter = OTLPMetricExporter(endpoint=f"{clew.otlp_http}/v1/metrics", preferred_temporality=temporality, timeout=60)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=interval)
    resource = Resource.create({"service.name": service, **attributes})
    provider = MeterProvider(metric_readers=[reader], resource=resource, views=views)
    yield provider.get_meter("shop")
    provider.shutdown(60_000)


def by_label(result, label):
    return {series["metric"].get(label, ""): float(series["value"][1]) for series in result}


def api(clew, path, **parameters):
    answer = requests.get(f"http://127.0.0.1:{clew.prometheus}/api/v1/{path}", params=parameters, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


@pytest.mark.parametrize("temporality", [None, DELTA], ids=["cumulative", "delta"])
def test_a_chat_service_by_promql(own_clew, temporality):
    clew = own_clew().start()
    with meter(clew, "ai-chat-service", temporality) as chat:
        requests_total = chat.create_counter("chat.requests.total")
        duration = chat.create_histogram("chat.request.duration", explicit_bucket_boundaries_advisory=[0.1, 0.5, 1, 5])
        waited = chat.create_histogram("myapp.request.duration", unit="s")
        active = chat.create_up_down_counter("myapp.requests.active", unit="{request}")

        def answered(status, seconds):
            requests_total.add(1, {"status": status})
            duration.record(seconds, {"status": status})
            waited.record(seconds, {"endpoint": "/chat"})

        active.add(3)
        answered("success", 0.3)
        wait_until(lambda: clew.promql("myapp_requests_active == 3"), message="three are in flight")
        wait_until(lambda: clew.promql("chat_requests_total"), message="one is counted")
        answered("success", 0.3)
        answered("error", 2)
        active.add(-3)
    assert by_label(clew.promql("sum by (status)(chat_requests_total)"), "status") == {"success": 2, "error": 1}
    quantiles = clew.promql("histogram_quantile(0.95, sum by (le,status)(rate(chat_request_duration_bucket[5m])))")
    found = by_label(quantiles, "status")
    assert 0.1 < found["success"] <= 0.5 and 1 < found["error"] <= 5
    rates = by_label(clew.promql("sum by (status)(increase(chat_requests_total[5m]))"), "status")
    assert 2 <= rates["success"] < 10 and 1 <= rates["error"] < 5
    (count,) = clew.promql('myapp_request_duration_seconds_count{endpoint="/chat"}')
    assert count["value"][1] == "3" and count["metric"]["job"] == "ai-chat-service"
    assert by_label(clew.promql("myapp_requests_active"), "service_name") == {"ai-chat-service": 0}
    # Under the names that the program gave them, too.
    assert clew.promql('sum({"chat.requests.total"})')[0]["value"][1] == "3"
    assert clew.promql('{"chat.requests.total", "service.name"="ai-chat-service", status="error"}')[0]["value"][1] == "1"


@pytest.mark.parametrize("temporality", [None, DELTA], ids=["cumulative", "delta"])
def test_exponential_histograms_are_native(own_clew, temporality):
    clew = own_clew().start()
    view = View(instrument_name="*", aggregation=ExponentialBucketHistogramAggregation())
    with meter(clew, "shop", temporality, [view]) as shop:
        latency = shop.create_histogram("latency", unit="ms")
        for value in (1, 2, 4):
            latency.record(value)
        wait_until(lambda: clew.promql("latency_milliseconds"), message="it is sent")
        for value in (8, 1000):
            latency.record(value)
    (series,) = clew.promql("latency_milliseconds")
    histogram = series["histogram"][1]
    assert (histogram["count"], histogram["sum"]) == ("5", "1015") and len(histogram["buckets"]) == 5
    assert 3 < float(clew.promql("histogram_quantile(0.5, latency_milliseconds)")[0]["value"][1]) < 5
    assert clew.promql("histogram_count(latency_milliseconds)")[0]["value"][1] == "5"


def test_what_there_is_can_be_listed(own_clew):
    clew = own_clew().start()
    attributes = {"service.namespace": "eu", "service.instance.id": "one", "deployment.environment.name": "test", "os.type": "linux"}
    with meter(clew, "shop", **attributes) as shop:
        shop.create_counter("orders", unit="By", description="what was ordered").add(2, {"http.route": "/order"})
    (series,) = api(clew, "series", **{"match[]": "orders_bytes_total"})
    expect = {
        "__name__": "orders_bytes_total", "job": "eu/shop", "instance": "one", "service_name": "shop",
        "service_namespace": "eu", "service_instance_id": "one", "deployment_environment_name": "test",
        "http_route": "/order",
    }
    assert series == expect
    assert set(api(clew, "labels", **{"match[]": "orders_bytes_total"})) == set(expect)
    assert api(clew, "label/__name__/values") == ["orders_bytes_total", "target_info"]
    assert api(clew, "label/http_route/values") == ["/order"]
    assert api(clew, "metadata", metric="orders_bytes_total") == {
        "orders_bytes_total": [{"type": "counter", "help": "what was ordered", "unit": "bytes"}]
    }
    (target,) = clew.promql('target_info{job="eu/shop"}')
    assert target["metric"]["os_type"] == "linux"
    joined = clew.promql("orders_bytes_total * on (job, instance) group_left (os_type) target_info")
    assert joined[0]["metric"]["os_type"] == "linux"
    # The same on the page's port.
    answer = requests.post(f"{clew.api}/prometheus/api/v1/query", data={"query": "orders_bytes_total"}, timeout=20)
    assert answer.json()["data"]["result"][0]["value"][1] == "2"


def test_exemplars_lead_to_traces(own_clew):
    clew = own_clew().start()
    with meter(clew, "shop") as shop:
        latency = shop.create_histogram("latency", explicit_bucket_boundaries_advisory=[1, 5])
        with TracerProvider().get_tracer("shop").start_as_current_span("order") as span:
            latency.record(3)
    found = api(clew, "query_exemplars", query="rate(latency_bucket[5m])", start=time.time() - 60, end=time.time() + 60)
    assert found[0]["seriesLabels"]["le"] == "5"
    exemplar = found[0]["exemplars"][0]
    assert exemplar["labels"]["trace_id"] == f"{span.get_span_context().trace_id:032x}" and exemplar["value"] == "3"


def test_programs_of_one_name_are_not_mixed(own_clew):
    clew = own_clew().start()
    with meter(clew, "shop", **{"process.pid": 1}) as one, meter(clew, "shop", **{"process.pid": 2}) as other:
        one.create_counter("orders").add(5)
        other.create_counter("orders").add(7)
        wait_until(lambda: len(clew.promql("orders_total")) == 2, message="both are there")
    assert by_label(clew.promql("orders_total"), "process_pid") == {"1": 5, "2": 7}
    assert clew.promql("sum(orders_total)")[0]["value"][1] == "12"


def test_a_prometheus_that_runs_already_does_not_matter(own_clew):
    clew = own_clew()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", clew.prometheus))
        holder.listen()
        clew.start()
        assert f"port {clew.prometheus} is taken" in clew.log_text() and "--prometheus-address" in clew.log_text()
        assert clew.get("/prometheus/api/v1/query", query="1 + 1")["data"]["result"][1] == "2"
        assert clew.stop() == 0
    port, none = clew.prometheus, own_clew(name="none")
    none.prometheus = None
    none.start()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/-/ready", timeout=5)


def test_prometheus_own_client_in_go(own_clew):
    if not shutil.which("go"):
        pytest.skip("Go is not here")
    clew = own_clew().start()
    with meter(clew, "shop") as shop:
        counter = shop.create_counter("orders", description="what was ordered")
        with TracerProvider().get_tracer("shop").start_as_current_span("order"):
            counter.add(2, {"status": "ok"})
    done = subprocess.run(
        ["go", "run", ".", f"http://127.0.0.1:{clew.prometheus}", "sum by (status) (orders_total)", "orders_total"],
        cwd=Path(__file__).parent / "prometheus", capture_output=True, text=True, timeout=300,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["query"][0]["metric"] == {"status": "ok"} and told["query"][0]["value"][1] == "2"
    assert told["query_range"][0]["values"][-1][1] == "2"
    assert told["series"][0]["job"] == "shop" and "status" in told["labels"] and "orders_total" in told["names"]
    assert told["metadata"]["orders_total"][0]["type"] == "counter"
    assert len(told["exemplars"][0]["exemplars"]) == 1
    assert told["build"]["version"].startswith("3.") and told["build"]["revision"].startswith("clew-")
    assert told["flags"]["query.lookback-delta"] == "5m" and told["rules"] == {"groups": []}
    assert told["alerts"] == {"alerts": []} and told["runtime"]["startTime"] and told["config"] == {"yaml": ""}
    assert "parse error" in told["error"] and told["error"].startswith("bad_data")
