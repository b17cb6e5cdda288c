"""OTLP over HTTP as `curl` and hand-written clients send it: what is accepted, what is refused, and what is said then."""

import gzip
import json
import math
import struct
import subprocess
import time
import uuid
import zlib

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

JSON = {"Content-Type": "application/json"}


def new_trace_id():
    return uuid.uuid4().hex


def span(trace_id, span_id="00f067aa0ba902b7", **fields):
    now = time.time_ns()
    return {
        "traceId": trace_id, "spanId": span_id, "name": "op", "kind": 1,
        "startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 5_000_000), **fields,
    }


def request(*spans, service="curl"):
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "e2e"}, "spans": list(spans)}]}]}


def post(clew, body, path="/v1/traces", headers=JSON):
    data = body if isinstance(body, (bytes, str)) else json.dumps(body)
    return requests.post(clew.otlp_http + path, data=data, headers=headers, timeout=60)


def test_aob_06_the_debugging_post_verbatim(clew):
    done = subprocess.run(
        ["curl", "-s", "-i", "-X", "POST", f"{clew.otlp_http}/v1/traces", "-H", "Content-Type: application/json",
         "-d", '{"resourceSpans":[]}'], capture_output=True, text=True, timeout=20, check=True)
    head, _, body = done.stdout.replace("\r", "").partition("\n\n")
    assert "200" in head.splitlines()[0] and "content-type: application/json" in head.lower()
    assert json.loads(body) in ({}, {"partialSuccess": {}})
    wrong = post(clew, '{"resourceSpans":')
    assert wrong.status_code == 400 and wrong.json()["message"]
    assert post(clew, "x", headers={"Content-Type": "text/plain"}).status_code == 415
    assert requests.get(clew.otlp_http + "/v1/traces", timeout=10).status_code == 405


def test_bel_01_the_three_ports(clew):
    assert "<html" in requests.get(clew.api + "/", timeout=10).text.lower()
    for port in (clew.grpc, clew.http, clew.query):  # Every port takes OTLP/HTTP.
        trace_id = new_trace_id()
        answer = requests.post(f"http://127.0.0.1:{port}/v1/traces", json=request(span(trace_id)), timeout=10)
        assert answer.status_code == 200 and answer.json() in ({}, {"partialSuccess": {}})
        assert clew.trace(trace_id)


@pytest.mark.parametrize("encoding,compress", [
    ("identity", lambda data: data), ("gzip", gzip.compress), ("deflate", zlib.compress),
])
def test_protobuf_and_compression(clew, encoding, compress):
    trace_id = new_trace_id()
    message = ExportTraceServiceRequest()
    each = message.resource_spans.add().scope_spans.add().spans.add()
    each.trace_id, each.span_id, each.name = bytes.fromhex(trace_id), b"12345678", "binary"
    each.start_time_unix_nano = time.time_ns()
    each.end_time_unix_nano = each.start_time_unix_nano + 1
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": encoding}
    answer = post(clew, compress(message.SerializeToString()), headers=headers)
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/x-protobuf"
    assert ExportTraceServiceResponse.FromString(answer.content) == ExportTraceServiceResponse()
    assert clew.trace(trace_id)["spans"][0]["operationName"] == "binary"


def test_one_bad_span_costs_only_itself(clew):
    trace_id = new_trace_id()
    answer = post(clew, request(span(trace_id), span("0" * 32), span(trace_id, "0" * 16)))
    assert answer.status_code == 200
    partial = answer.json()["partialSuccess"]
    assert int(partial["rejectedSpans"]) == 2 and partial["errorMessage"]
    assert len(clew.trace(trace_id)["spans"]) == 1


def test_a_resend_changes_nothing(clew):
    trace_id = new_trace_id()
    body = request(span(trace_id), span(trace_id, "00000000000000aa"))
    for _ in range(3):
        assert post(clew, body).status_code == 200
    assert len(clew.trace(trace_id)["spans"]) == 2
    assert clew.get(f"/api/v1/traces/{trace_id}")["spans"] == 2


def test_values_come_back_exactly(clew):
    trace_id = new_trace_id()
    nested = {"kvlistValue": {"values": [
        {"key": "deep", "value": {"arrayValue": {"values": [{"intValue": "9223372036854775807"}, {}]}}},
        {"key": "deep", "value": {"boolValue": False}},
    ]}}
    attributes = [
        {"key": "int", "value": {"intValue": "-9007199254740993"}},
        {"key": "nan", "value": {"doubleValue": "NaN"}},
        {"key": "bytes", "value": {"bytesValue": "AAH/"}},
        {"key": "nested", "value": nested},
        {"key": "empty", "value": {}},
        {"key": "empty text", "value": {"stringValue": ""}},
        {"key": "twice", "value": {"stringValue": "first"}},
        {"key": "twice", "value": {"stringValue": "second"}},
    ]
    assert post(clew, request(span(trace_id, attributes=attributes))).status_code == 200
    found = clew.get(f"/api/v1/traces/{trace_id}/spans/00f067aa0ba902b7")["attributes"]
    values = [(each["key"], each["type"], each["value"]) for each in found]
    assert ("int", "int", "-9007199254740993") in values
    assert ("nan", "double", "NaN") in values
    assert ("bytes", "bytes", "AAH/") in values
    assert [value for value in values if value[0] == "twice"] == [("twice", "string", "first"), ("twice", "string", "second")]
    assert [value[1] for value in values if value[0] == "empty"] == ["empty"]
    assert ("empty text", "string", "") in values
    deep = next(each["value"] for each in found if each["key"] == "nested")
    assert [each["key"] for each in deep] == ["deep", "deep"]
    assert deep[0]["value"][0]["value"] == "9223372036854775807" and deep[1]["value"] is False


def test_twenty_megabytes_in_one_attribute(clew):
    trace_id = new_trace_id()
    text = "clew é " * (20 * 1024 * 1024 // 8)
    body = request(span(trace_id, attributes=[{"key": "prompt", "value": {"stringValue": text}}]))
    assert post(clew, body).status_code == 200
    path = f"/api/v1/traces/{trace_id}/spans/00f067aa0ba902b7"
    short = clew.get(path)["attributes"][0]
    assert short["truncated"] and int(short["length"]) == len(text.encode())
    whole = requests.get(clew.api + path + "/body/prompt", timeout=60)
    assert whole.content.decode() == text
    part = requests.get(clew.api + path + "/body/prompt", headers={"Range": "bytes=0-3"}, timeout=60)
    assert part.status_code == 206 and part.content == b"clew"


def test_d7_short_trace_ids_are_found(clew):
    trace_id = "0" * 16 + uuid.uuid4().hex[:15] + "1"
    assert post(clew, request(span(trace_id))).status_code == 200
    assert clew.trace(trace_id[16:])["traceID"] == trace_id[16:]
    assert clew.trace(trace_id.upper())["spans"]


def test_d8_code_two_is_an_error(clew):
    trace_id = new_trace_id()
    assert post(clew, request(span(trace_id, status={"code": 2, "message": "boom"}))).status_code == 200
    tags = {tag["key"]: tag["value"] for tag in clew.trace(trace_id)["spans"][0]["tags"]}
    assert tags["otel.status_code"] == "ERROR" and tags["error"] is True


def test_bel_06_logs_by_trace(clew):
    trace_id, span_id = new_trace_id(), "00000000000000cc"
    now = time.time_ns()
    texts = ["Processing query", "Query processing failed", "Query processed successfully"]
    records = [{"timeUnixNano": str(now + row), "severityNumber": 9, "body": {"stringValue": text},
                "traceId": trace_id, "spanId": span_id} for row, text in enumerate(texts)]
    records.append({"timeUnixNano": str(now), "body": {"stringValue": "outside"}})
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}
    assert post(clew, body, "/v1/logs").status_code == 200
    assert post(clew, request(span(trace_id, span_id))).status_code == 200
    found = clew.get("/api/logs", trace_id=trace_id)["logs"]
    assert [each["body"]["value"] for each in found] == texts
    assert {(each["traceId"], each["spanId"]) for each in found} == {(trace_id, span_id)}
    assert clew.trace(found[0]["traceId"])


@pytest.mark.parametrize("path,status,hint", [
    ("/v1/trace", 404, "/v1/traces"), ("/v1/traces/v1/traces", 200, None), ("/api/public/otel/v1/traces", 200, None),
    ("/otel/v1/traces", 200, None), ("/", 200, None),
])
def test_wrong_paths_are_mended_or_explained(clew, path, status, hint):
    answer = post(clew, request(span(new_trace_id())), path)
    assert answer.status_code == status
    if hint:
        assert hint in answer.text
        events = clew.get("/api/v1/status")["events"]
        assert any(hint in event["hint"] for event in events)


def test_too_large_and_bombs_are_refused(clew):
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    bomb = gzip.compress(b" " * (200 << 20), 9)
    assert len(bomb) < 1 << 20
    assert post(clew, bomb, headers=headers).status_code == 413
    assert post(clew, b" " * (65 << 20)).status_code == 413
    assert post(clew, b"\x1f\x8bnot gzip", headers=headers).status_code == 400
    assert post(clew, request(span(new_trace_id()))).status_code == 200


def test_jaeger_search_is_lenient(clew):
    trace_id, service = new_trace_id(), f"jaeger-{uuid.uuid4().hex[:6]}"
    workflow = f"wf:{uuid.uuid4().hex[:8]}"
    attributes = [{"key": "workflow.id", "value": {"stringValue": workflow}},
                  {"key": "http.status_code", "value": {"intValue": "200"}}]
    body = request(span(trace_id, attributes=attributes, name="workflow.execution"), service=service)
    assert post(clew, body).status_code == 200
    for parameters in (
        {"service": service}, {"service": service, "operation": "workflow.execution"},
        {"tag": f"workflow.id:{workflow}"}, {"tags": json.dumps({"workflow.id": workflow})},
        {"tags": f"workflow.id:{workflow}"}, {"service": service, "tag": "http.status_code:200"},
        {"service": service, "minDuration": "1ms", "maxDuration": "1s"},
    ):
        assert [each["traceID"] for each in clew.get("/api/traces", **parameters)["data"]] == [trace_id], parameters
    bad = requests.get(clew.api + "/api/traces", params={"limit": "string"}, timeout=10)
    assert bad.status_code == 400 and bad.json()["errors"][0]["msg"]


def test_the_skeleton_is_what_the_contract_says(clew):
    trace_id = new_trace_id()
    spans = [span(trace_id, f"{row + 1:016x}", parentSpanId=f"{row:016x}" if row else "") for row in range(500)]
    assert post(clew, request(*spans)).status_code == 200
    answer = requests.get(f"{clew.api}/api/v1/traces/{trace_id}/skeleton", timeout=10)
    data = answer.content
    assert data[:8] == b"CLEWSK01"
    length = struct.unpack_from("<I", data, 8)[0]
    header = json.loads(data[16:16 + length])
    assert header["spans"] == 500 and length % 8 == 0
    columns = 16 + length
    durations = struct.unpack_from("<500d", data, columns + 4000)
    assert all(math.isclose(each, 5000) for each in durations)
    parents = struct.unpack_from("<500i", data, columns + 8000)
    assert list(parents) == [row - 1 for row in range(500)]
    again = requests.get(answer.url, headers={"If-None-Match": answer.headers["etag"]}, timeout=10)
    assert again.status_code == 304
