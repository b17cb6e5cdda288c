"""What was taken in is given back, and what was given back is taken in again, exactly."""

import json
import subprocess

import pytest

from clew import BINARY
from test_command_line import demo, run

SIGNALS = ("traces", "logs", "metrics")


def stored(clew, traces):
    """All that the API tells of these traces, and of all log records and metrics."""
    spans = {}
    for trace in traces:
        for span in json.loads(run("trace", trace, "--json", clew=clew))["spans"]:
            spans[span["spanId"]] = {key: value for key, value in span.items() if key != "attributes"} | {
                "attributes": sorted(span["attributes"], key=json.dumps)
            }
    logs = sorted(json.dumps(log, sort_keys=True) for log in clew.get("/api/v1/logs", limit=5000)["logs"])
    names = [metric["name"] for metric in clew.get("/api/v1/metrics")["metrics"]]
    metrics = {name: clew.get(f"/api/v1/metrics/{name}") for name in names}
    for metric in metrics.values():
        metric["series"].sort(key=json.dumps)
    return spans, logs, metrics


def odd(clew):
    """A span with values of all kinds, and a histogram."""
    values = [
        {"key": "int", "value": {"intValue": str(2**63 - 1)}},
        {"key": "nan", "value": {"doubleValue": "NaN"}},
        {"key": "double", "value": {"doubleValue": 0.1}},
        {"key": "bytes", "value": {"bytesValue": "AP8="}},
        {"key": "empty", "value": {}},
        {"key": "text", "value": {"stringValue": 'a "quote"\n\u2028 and \\ more \U0001f9f6'}},
        {"key": "map", "value": {"kvlistValue": {"values": [
            {"key": "a", "value": {"arrayValue": {"values": [{"intValue": "1"}, {}, {"boolValue": True}]}}}]}}},
    ]
    span = {
        "traceId": "a" * 32, "spanId": "b" * 16, "name": "odd", "kind": 3, "startTimeUnixNano": "1000",
        "endTimeUnixNano": "2001", "attributes": values, "traceState": "a=b", "flags": 257,
        "events": [{"timeUnixNano": "1500", "name": "exception", "attributes": values}],
        "links": [{"traceId": "c" * 32, "spanId": "d" * 16, "attributes": values}],
        "status": {"code": 2, "message": "no"}, "droppedAttributesCount": 7,
    }
    clew.post("/v1/traces", {"resourceSpans": [{"resource": {"attributes": values}, "scopeSpans": [
        {"scope": {"name": "s", "version": "1"}, "spans": [span], "schemaUrl": "u"}]}]})
    point = {"startTimeUnixNano": "1", "timeUnixNano": "2", "count": "3", "sum": 1.5, "bucketCounts": ["1", "2"],
             "explicitBounds": [0.5], "attributes": values, "exemplars": [
                 {"timeUnixNano": "2", "asDouble": 0.25, "traceId": "a" * 32, "spanId": "b" * 16, "filteredAttributes": values},
                 {"timeUnixNano": "1", "asInt": "3"}]}
    clew.post("/v1/metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": "h", "histogram": {"dataPoints": [point], "aggregationTemporality": 1}}]}]}]})
    return "a" * 32


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_everything_comes_back_exactly(own_clew, tmp_path, ending):
    first, second = own_clew("first").start(), own_clew("second").start()
    traces = [demo(first), demo(first), odd(first)]
    files = [str(tmp_path / f"{signal}.{ending}") for signal in SIGNALS]
    for signal, file in zip(SIGNALS, files):
        run("export", "--signal", signal, "--output", file, clew=first)
    printed = run("import", *files, clew=second)
    assert "83 spans, 22 log records, 31 metric points from 3 files" in printed
    assert stored(second, traces) == stored(first, traces)
    [series] = second.get("/api/v1/metrics/h")["series"]
    told = series["points"][0]["exemplars"]
    assert [(each["time"], each["value"], each["traceId"], each["spanId"]) for each in told] == [
        ("2", 0.25, "a" * 32, "b" * 16), ("1", 3, None, None)]
    first_told, last_told = (sorted(each["attributes"], key=json.dumps) for each in told)
    assert first_told == sorted(series["attributes"], key=json.dumps) and last_told == []
    # Again: nothing is doubled.
    run("import", files[0], clew=second)
    assert stored(second, traces)[0] == stored(first, traces)[0]
    again = run("export", "--signal", "traces", clew=second).strip().split("\n")
    spans = {json.dumps(span, sort_keys=True) for line in again for resource in json.loads(line)["resourceSpans"]
             for scope in resource["scopeSpans"] for span in scope["spans"]}
    assert len(spans) == 83


def test_a_query_exports_whole_traces(own_clew):
    clew = own_clew().start()
    trace = demo(clew)
    odd(clew)
    lines = run("export", "kind:policy", clew=clew).splitlines()
    spans = [span for line in lines for resource in json.loads(line)["resourceSpans"]
             for scope in resource["scopeSpans"] for span in scope["spans"]]
    assert {span["traceId"] for span in spans} == {trace} and len(spans) == 41
    assert run("export", "name:nothing-has-this", clew=clew) == ""
    run("export", "kind:", clew=clew, expect=2)


def test_jaeger_json_is_imported(own_clew, tmp_path):
    first, second = own_clew("first").start(), own_clew("second").start()
    traces = [demo(first), demo(first)]
    file = tmp_path / "jaeger.json"
    answers = [first.get(f"/api/traces/{trace}")["data"][0] for trace in traces]
    # As the page of Jaeger downloads it: one document over many lines.
    file.write_text(json.dumps({"data": answers, "total": 0}, indent=2))
    assert "sent 82 spans from 1 file" in run("import", str(file), clew=second)
    for trace, answer in zip(traces, answers):
        found = second.get(f"/api/traces/{trace}")["data"][0]
        shape = lambda spans: sorted(json.dumps(  # noqa: E731
            {key: sorted(map(json.dumps, value)) if isinstance(value, list) else value
             for key, value in span.items() if key != "processID"}, sort_keys=True) for span in spans)
        assert shape(found["spans"]) == shape(answer["spans"])
        services = lambda trace: sorted(process["serviceName"] for process in trace["processes"].values())  # noqa: E731
        assert services(found) == services(answer)


def test_what_cannot_be_read_costs_only_itself(own_clew, tmp_path):
    clew = own_clew().start()
    good = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [
        {"traceId": "a" * 32, "spanId": "b" * 16, "name": "good"}]}]}]})
    late = good.replace("b" * 16, "c" * 16)
    bad_id = good.replace("b" * 16, "bb")
    file = tmp_path / "mixed.jsonl"
    file.write_text("\n".join([good, '{"hello": 1}', "[1]", "", bad_id, late, '{"resourceSpans": 3}', '{"cut": ']))
    done = subprocess.run([BINARY, "import", str(file), "--endpoint", clew.otlp_http], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 1
    for said in ("line 2: it has none of resourceSpans", "line 3", "span id", "line 7", "line 8: not JSON",
                 "4 parts could not be read and 1 items were refused"):
        assert said in done.stderr, (said, done.stderr)
    assert clew.get(f"/api/v1/traces/{'a' * 32}")["spans"] == 2
    (tmp_path / "other.parquet").write_bytes(b"PAR1 and nothing else")
    run("import", str(tmp_path / "other.parquet"), clew=clew, expect=1)
    run("import", str(tmp_path / "missing"), clew=clew, expect=1)
    through_stdin = subprocess.run([BINARY, "import", "-", "--endpoint", clew.otlp_http], input=good, text=True,
                                   capture_output=True, timeout=60)
    assert through_stdin.returncode == 0, through_stdin.stderr
