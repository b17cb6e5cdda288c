"""Beluga, real processes against the real server: what the documents on tracing agents promise of it."""

import contextlib
import json
import os
import re
import subprocess
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from beluga import (
    Trace, assert_failed, chat_service, end, environment, events, run, serving, shown, tags, the_trace, traces, types, values,
)
from clew import BINARY, free_ports, wait_until

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def beluga():
    """The path of the binary: `BELUGA_BIN`, or built now."""
    if "BELUGA_BIN" in os.environ:
        return os.environ["BELUGA_BIN"]
    command = ["cargo", "build", "--quiet", "--package", "beluga", "--message-format", "json"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    return next(message["executable"] for message in messages if message.get("executable"))


def test_bel_02_the_program_with_an_agent_that_calls_an_api(beluga, own_clew):
    clew = own_clew().start()
    said = run(beluga, clew, "run", "What is the weather in Paris?")
    assert re.search(r"In Paris it is \d+ degrees", said)

    trace = the_trace(clew, service="beluga-agent", operation="run-agent-workflow", limit=1)
    root, metrics = trace.one("run-agent-workflow"), trace.one("calculate-metrics")
    assert tags(root)["otel.scope.name"] == "main" and trace.parent_id(root) is None
    assert {trace.service(span) for span in trace.spans} == {"beluga-agent"}
    resource = {tag["key"]: tag["value"] for tag in trace.processes[root["processID"]]["tags"]}
    assert resource["service.version"] == "1.0.0"

    assert trace.parent(metrics) is root and tags(metrics)["otel.scope.name"] == "custom-logic"
    assert tags(metrics)["user.id"] == "123" and types(metrics)["user.id"] == "string"
    assert metrics["duration"] >= 100_000
    assert "calculation-complete" in events(metrics)

    agent, tool, call = (trace.one(name) for name in ("invoke_agent beluga", "execute_tool get_weather", "GET /weather"))
    assert trace.parent(agent) is root and trace.parent(tool) is agent and trace.parent(call) is tool
    assert tags(call)["span.kind"] == "client" and tags(call)["http.response.status_code"] == 200
    models = trace.named("chat gpt-4o")
    # The model asks for the tool, and answers when it has what the tool gave.
    assert [tags(model)["gen_ai.response.finish_reasons"] for model in sorted(models, key=end)] == ['["tool_calls"]', '["stop"]']
    assert all(trace.ancestors(model) == ["plan beluga", "invoke_agent beluga", "run-agent-workflow"] for model in models)
    assert trace.ancestors(trace.one("embeddings text-embedding-3-small"))[:2] == ["retrieval shelf", "invoke_agent beluga"]
    assert trace.parent(trace.one("search_memory")) is agent
    assert clew.get(f"/api/v1/traces/{trace.id}/run")["state"] == "succeeded"
    shown(clew, trace)


PARTS = ["agent.rs", "planner.rs", "model.rs", "openai.rs", "memory.rs", "library.rs", "tools"]


def test_bel_02_the_agent_has_no_tracing_in_it():
    source = ROOT / "examples/beluga/src"
    files = [file for part in PARTS for file in ([source / part] if part.endswith(".rs") else (source / part).glob("*.rs"))]
    assert len(files) == 9
    for file in files:
        found = [word for word in ("clew_sdk", "opentelemetry", "tracing::", "observed") if word in file.read_text()]
        assert found == [], f"{file.name} speaks of {found}"


def test_bel_02_the_api_hangs(beluga, own_clew):
    clew = own_clew().start()
    run(beluga, clew, "run", "--weather-hangs", "--timeout-ms", "500", code=1)
    trace = the_trace(clew, service="beluga-agent", operation="run-agent-workflow")
    call = trace.one("GET /weather")
    for span in [call, *(trace.one(name) for name in trace.ancestors(call))]:
        assert_failed(span, "timeout")
    assert trace.ancestors(call) == ["execute_tool get_weather", "invoke_agent beluga", "run-agent-workflow"]
    assert 500_000 <= call["duration"] < 1_400_000
    summary = clew.get(f"/api/v1/traces/{trace.id}/run")
    assert summary["state"] == "failed"
    assert summary["firstFailure"]["spanId"] == call["spanID"] and summary["firstFailure"]["errorType"] == "timeout"
    found = clew.get("/api/v1/traces", q="error.type:=timeout kind:http")["traces"]
    assert [each["traceId"] for each in found] == [trace.id]
    # What came of a run is calculated even if that is nothing.
    assert trace.parent(trace.one("calculate-metrics"))["operationName"] == "run-agent-workflow"
    logs = clew.get("/api/v1/logs", traceId=trace.id, q='body:"pipeline error"')["logs"]
    assert [log["spanId"] for log in logs] == [trace.one("run-agent-workflow")["spanID"]]
    shown(clew, trace)


def test_bel_03_the_tree_of_components(beluga, own_clew):
    clew = own_clew().start()
    with chat_service(beluga, clew) as url:
        answer = requests.get(f"{url}/agent", params={"q": "What is the weather in Paris?"}, timeout=20)
        assert answer.status_code == 200 and "degrees" in answer.text
    trace = the_trace(clew, service="ai-chat-service", operation="API.HandleRequest")
    assert trace.edges() == {
        (None, "API.HandleRequest"),
        ("API.HandleRequest", "Agent.Process"),
        ("Agent.Process", "LLM.Generate"),
        ("LLM.Generate", "OpenAI.APICall"),
        ("Agent.Process", "Memory.Retrieve"),
        ("Agent.Process", "Tool.Execute"),
        ("Tool.Execute", "GET /weather"),
        ("API.HandleRequest", "Response.Format"),
    }
    for call in trace.named("OpenAI.APICall"):
        assert trace.parent(call)["duration"] >= call["duration"]
    # What they are is said whatever they are called.
    kinds = clew.get(f"/api/v1/traces/{trace.id}")["kinds"]
    assert kinds["agent"] == 1 and kinds["llm"] == 2 and kinds["tool"] == 1 and kinds["memory"] == 1
    shown(clew, trace)


def test_bel_03_the_tree_of_packages(beluga, own_clew):
    clew = own_clew().start()
    with chat_service(beluga, clew, "--service", "my-ai-service") as url:
        answer = requests.get(f"{url}/query", params={"q": "hello"}, timeout=20)
        assert (answer.status_code, answer.text) == (200, "You said: hello")
    trace = the_trace(clew, service="my-ai-service", operation="user-request")
    assert trace.edges() == {
        (None, "user-request"),
        ("user-request", "ProcessUserQuery"),
        ("ProcessUserQuery", "llm.Generate"),
        ("llm.Generate", "openai.CreateChatCompletion"),
        ("ProcessUserQuery", "memory.Retrieve"),
        ("ProcessUserQuery", "formatResponse"),
    }
    assert {span["operationName"]: tags(span)["otel.scope.name"] for span in trace.spans} == {
        "user-request": "my-ai-service", "ProcessUserQuery": "my-ai-service", "llm.Generate": "llms",
        "openai.CreateChatCompletion": "openai", "memory.Retrieve": "memory", "formatResponse": "myapp",
    }
    query = trace.one("ProcessUserQuery")
    told = tags(query)
    assert told["query.text"] == "hello" and told["query.length"] == 5 and types(query)["query.length"] == "int64"
    assert told["response.tokens"] == 3 and types(query)["response.tokens"] == "int64"
    assert 0 < told["processing.duration_ms"] <= query["duration"] / 1000
    assert types(query)["processing.duration_ms"] == "float64"
    assert set(events(query)) == {"starting_processing", "processing_complete"}
    assert told["otel.status_code"] == "OK"
    shown(clew, trace)


def by_label(result, label):
    return {series["metric"].get(label, ""): float(series["value"][1]) for series in result}


def test_bel_04_the_chat_service_and_its_metrics(beluga, own_clew):
    clew = own_clew().start()
    joined = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    with chat_service(beluga, clew) as url:
        def chat(**options):
            return requests.get(f"{url}/chat", timeout=20, **options)

        hello = chat(params={"q": "hello"})
        assert hello.status_code == 200 and hello.headers["content-type"].startswith("text/plain")
        missing, boom = chat(), chat(params={"q": "boom"})
        assert (missing.status_code, missing.text) == (400, "Missing query parameter")
        assert (boom.status_code, boom.text) == (500, "Failed to generate response")
        assert chat(params={"q": "joined"}, headers=joined).status_code == 200
        scraped = requests.get(f"{url}/metrics", timeout=20)
        assert scraped.headers["content-type"].startswith("text/plain")

    found = traces(clew, service="ai-chat-service", operation="handleChat")
    by_query = {tags(trace.one("handleChat")).get("query"): trace for trace in found}
    assert set(by_query) == {"hello", None, "boom", "joined"}
    span = by_query["hello"].one("handleChat")
    assert {"span.kind": "server", "http.method": "GET", "http.url": "/chat", "http.response.status_code": 200}.items() <= tags(span).items()
    assert tags(span)["response.length"] == len(hello.text) > 0 and tags(span)["otel.status_code"] == "OK"
    assert by_query["hello"].parent(by_query["hello"].one("llm.generate")) is span

    missed = tags(by_query[None].one("handleChat"))
    assert (missed["otel.status_code"], missed["otel.status_description"]) == ("ERROR", "missing query")
    assert missed["http.response.status_code"] == 400
    for name in ("handleChat", "llm.generate", "POST /v1/chat/completions"):
        assert_failed(by_query["boom"].one(name), "500")

    trace = Trace(clew.trace("4bf92f3577b34da6a3ce929d0e0e4736"))
    assert trace.parent_id(trace.one("handleChat")) == "00f067aa0ba902b7"

    samples = dict(line.rsplit(" ", 1) for line in scraped.text.splitlines() if not line.startswith("#"))
    assert samples['chat_requests_total{status="success"}'] == samples['chat_requests_total{status="error"}'] == "2"
    # The seed declares no unit of this one, so it has no suffix.
    assert samples['chat_request_duration_count{status="success"}'] == "2"
    assert samples['myapp_request_duration_seconds_count{endpoint="/chat"}'] == "4"
    assert samples["myapp_requests_active"] == "0"
    assert by_label(clew.promql("sum by (status)(chat_requests_total)"), "status") == {"success": 2, "error": 2}
    quantile = "histogram_quantile(0.95, sum by (le,status)(rate(chat_request_duration_bucket[5m])))"
    quantiles = by_label(clew.promql(quantile), "status")
    assert quantiles.keys() == {"success", "error"} and all(seconds > 0 for seconds in quantiles.values())
    assert values(clew, "chat.requests.total") == {(("status", "success"),): 2, (("status", "error"),): 2}
    assert values(clew, "chat.request.duration") == {(("status", "success"),): 2, (("status", "error"),): 2}
    described = {each["name"]: each for each in clew.get("/api/v1/metrics")["metrics"]}
    assert described["chat.request.duration"]["unit"] == "" and described["chat.request.duration"]["kind"] == "histogram"


def test_the_chat_service_says_how_it_is(beluga, own_clew):
    clew, port = own_clew().start(), free_ports(1)[0]
    with chat_service(beluga, clew, "--provider-url", f"http://127.0.0.1:{port}") as url:
        def page(path):
            answer = requests.get(url + path, timeout=20)
            body = answer.json()
            (check,) = body["checks"]
            assert body["version"] and body["uptime"] > 0 and check["name"] == "provider"
            assert body["status"] == ("healthy" if answer.ok else "unhealthy")
            return answer.status_code, check["status"]

        # It lives, and waits for the provider.
        assert page("/health") == (200, "starting") and page("/ready") == (503, "starting")
        with serving(beluga, "provider", port=port, path="/waiting"):
            assert page("/health") == page("/ready") == (200, "healthy")
        assert page("/health") == page("/ready") == (503, "unhealthy")
        with serving(beluga, "provider", port=port, path="/waiting"):
            assert page("/health") == page("/ready") == (200, "healthy")


def test_bel_05_a_batch_in_parallel_of_which_one_fails(beluga, own_clew, tmp_path):
    clew = own_clew().start()
    queries = [f"hello {number}" for number in range(20)]
    queries[7] = "boom"
    (tmp_path / "queries.txt").write_text("\n".join(queries))
    said = run(beluga, clew, "batch", str(tmp_path / "queries.txt"), code=1).splitlines()
    assert said[6] == "You said: hello 6" and said[7].startswith("error: ") and len(said) == 20

    trace = the_trace(clew, service="my-ai-service")
    batch, items = trace.one("ProcessBatch"), trace.named("ProcessBatchItem")
    assert tags(batch)["batch.size"] == 20 and types(batch)["batch.size"] == "int64"
    assert tags(batch)["otel.scope.name"] == "myapp/batch"
    assert sorted(tags(item)["batch.index"] for item in items) == list(range(20))
    assert all(trace.parent(item) is batch for item in items)
    processed = trace.named("ProcessUserQuery")
    assert sorted(trace.parent_id(span) for span in processed) == sorted(item["spanID"] for item in items)
    assert {tags(span)["otel.scope.name"] for span in processed} == {"myapp/handlers"}
    in_order = sorted(items, key=lambda item: item["startTime"])
    assert any(later["startTime"] < end(earlier) for earlier, later in zip(in_order, in_order[1:]))
    for item in items:
        if tags(item)["batch.index"] == 7:
            assert_failed(item, "500")
        else:
            assert tags(item)["otel.status_code"] == "OK"
    assert_failed(batch, "500")
    shown(clew, trace)


def body(log):
    return log["body"]["value"]


def test_bel_06_lines_of_json_name_the_span_and_nothing_outside_of_it(beluga, own_clew, tmp_path):
    clew = own_clew().start()
    log = tmp_path / "log"
    with log.open("wb") as output, chat_service(beluga, clew, "--service", "my-ai-service", stdout=output) as url:
        for query in ("hello", "boom"):
            requests.get(f"{url}/query", params={"q": query}, timeout=20)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    started = next(line for line in lines if line["msg"] == "Starting server")
    assert started["level"] == "INFO" and "trace_id" not in started and "span_id" not in started
    by_text = {tags(trace.one("ProcessUserQuery"))["query.text"]: trace for trace in traces(clew, service="my-ai-service")}
    for query, messages in {
        "hello": ["Processing query", "Query processed successfully"],
        "boom": ["Processing query", "Query processing failed"],
    }.items():
        trace = by_text[query]
        ids = {"trace_id": trace.id, "span_id": trace.one("ProcessUserQuery")["spanID"]}
        told = [line for line in lines if line.get("trace_id") == trace.id]
        assert [line["msg"] for line in told] == messages
        assert all(ids.items() <= line.items() and line["service"] == "my-ai-service" for line in told)
    assert {line["query_length"] for line in lines if line["msg"] == "Processing query"} == {4, 5}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line["time"]) for line in lines)


def test_bel_06_logs_belong_to_the_span_they_were_written_in(beluga, own_clew, tmp_path):
    clew = own_clew().start()
    (tmp_path / "queries.txt").write_text("hello\nboom\n")
    run(beluga, clew, "batch", str(tmp_path / "queries.txt"), code=1)
    trace = the_trace(clew, service="my-ai-service")
    by_text = {tags(span)["query.text"]: span for span in trace.named("ProcessUserQuery")}
    logs = clew.get("/api/logs", trace_id=trace.id)["logs"]
    told = {(body(log), log["severityText"], log["spanId"]) for log in logs}
    hello, boom = by_text["hello"]["spanID"], by_text["boom"]["spanID"]
    assert told == {
        ("Processing query", "INFO", hello), ("Query processed successfully", "INFO", hello),
        ("Processing query", "INFO", boom), ("Query processing failed", "ERROR", boom),
    }
    assert all(log["traceId"] == trace.id and re.fullmatch("[0-9a-f]{32}", log["traceId"]) for log in logs)
    attributes = {body(log): {each["key"]: each["value"] for each in log["attributes"]} for log in logs}
    assert "500" in attributes["Query processing failed"]["error"]
    assert attributes["Query processed successfully"]["result_size"] == str(len("You said: hello"))
    # The way back: from a record that was found by its words to its trace.
    record = clew.get("/api/v1/logs", q='body:"Query processing failed"')["logs"][0]
    assert clew.trace(record["traceId"])["traceID"] == trace.id
    shown(clew, trace)


def test_bel_07_requests_in_flight_and_done(beluga, own_clew):
    clew = own_clew().start()
    port = free_ports(1)[0]
    with serving(beluga, "provider", port=port, path="/waiting") as provider, chat_service(
        beluga, clew, "--provider-url", provider, "--timeout-ms", "60000", OTEL_METRIC_EXPORT_INTERVAL="100"
    ) as url:
        def chat(text):
            assert requests.get(f"{url}/chat", params={"q": text}, timeout=60).status_code == 200

        for number in range(7):
            chat(f"hello {number}")
        held = [threading.Thread(target=chat, args=("hold",)) for _ in range(3)]
        for thread in held:
            thread.start()
        active = "myapp.requests.active"
        wait_until(lambda: values(clew, active) == {(): 3}, message="three are in flight")
        assert clew.promql("myapp_requests_active == 3")
        wait_until(lambda: requests.get(f"{provider}/waiting", timeout=5).text == "3", message="three wait")
        requests.post(f"{provider}/release", timeout=5).raise_for_status()
        for thread in held:
            thread.join(30)
        wait_until(lambda: values(clew, active) == {(): 0}, message="none is in flight")
        assert clew.promql("myapp_requests_active == 0")
    (done,) = clew.promql('sum(myapp_requests_total{status="success"})')
    (waited,) = clew.promql('myapp_request_duration_seconds_count{endpoint="/chat"} == 10')
    assert done["value"][1] == waited["value"][1] == "10"
    found = requests.get(
        f"http://127.0.0.1:{clew.prometheus}/api/v1/query_exemplars", timeout=20,
        params={"query": "myapp_request_duration_seconds_bucket", "start": time.time() - 600, "end": time.time() + 60},
    ).json()["data"]
    told = {exemplar["labels"]["trace_id"] for series in found for exemplar in series["exemplars"]}
    assert told and told <= {trace.id for trace in traces(clew, service="ai-chat-service", limit=100)}
    assert values(clew, "myapp.requests.total") == {(("endpoint", "/chat"), ("status", "success")): 10}
    assert values(clew, "myapp.request.duration") == {(("endpoint", "/chat"),): 10}
    described = {each["name"]: each for each in clew.get("/api/v1/metrics")["metrics"]}
    assert described["myapp.request.duration"]["unit"] == "s"
    assert described["myapp.requests.total"]["unit"] == "1"


FILTERS = {
    "gen_ai.system": "openai", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
    "gen_ai.request.temperature": "0.7", "gen_ai.request.max_tokens": "256", "gen_ai.usage.input_tokens": "150",
    "gen_ai.usage.output_tokens": "200", "gen_ai.response.finish_reason": "stop", "llm.model": "gpt-4o",
    "model.name": "gpt-4o",
}


def test_bel_08_a_model_call_is_found_by_every_name(beluga, own_clew):
    clew = own_clew().start()
    # A token is a word: five of the instructions, and these.
    question = " ".join(["Write 200 words about whales.", *["whales"] * 140])
    assert len(run(beluga, clew, "ask", question).split()) == 200
    trace = the_trace(clew, service="beluga-agent")
    call = tags(trace.one("chat gpt-4o"))
    assert call["gen_ai.usage.input_tokens"] == 150 and call["gen_ai.request.temperature"] == 0.7
    assert tags(trace.one("chat gpt-4o"))["span.kind"] == "client"
    found = {key: traces(clew, service="beluga-agent", tag=f"{key}:{value}") for key, value in FILTERS.items()}
    assert {key: [each.id for each in traces] for key, traces in found.items()} == {key: [trace.id] for key in FILTERS}
    model = clew.get("/api/v1/models")["models"][0]
    assert model["name"] == "gpt-4o" and model["usage"]["inputTokens"] == "150" and model["usage"]["outputTokens"] == "200"
    assert model["usage"]["cost"] > 0


def test_bel_08_model_calls_are_measured(beluga, own_clew):
    clew = own_clew().start()
    run(beluga, clew, "ask", "Write 200 words about whales.")
    run(beluga, clew, "ask", "boom", code=1)
    about = (("gen_ai.operation.name", "chat"), ("gen_ai.provider.name", "openai"), ("gen_ai.request.model", "gpt-4o"))
    answered = (*about, ("gen_ai.response.model", "gpt-4o"))
    failed = (("error.type", "500"), *about)
    assert values(clew, "gen_ai.client.operation.duration") == {answered: 1, failed: 1}
    tokens = clew.get("/api/v1/metrics/gen_ai.client.token.usage")["series"]
    by_type = {key["value"]: each["points"] for each in tokens for key in each["attributes"] if key["key"] == "gen_ai.token.type"}
    assert {kind: max(float(point["sum"]) for point in points) for kind, points in by_type.items()} == {"input": 10, "output": 200}
    # Each measurement leads to its call.
    durations = clew.get("/api/v1/metrics/gen_ai.client.operation.duration")["series"]
    exemplars = [exemplar for each in (*tokens, *durations) for point in each["points"] for exemplar in point["exemplars"]]
    measured = [clew.get(f"/api/v1/traces/{told['traceId']}/spans/{told['spanId']}") for told in exemplars]
    assert [span["name"] for span in measured] == ["chat gpt-4o"] * 4
    assert sorted(told["value"] for told in exemplars)[-2:] == [10, 200]


CONTENT = {
    "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result",
    "gen_ai.retrieval.query.text", "gen_ai.retrieval.documents",
}


def test_what_is_said_is_recorded_only_when_it_is_asked_for(beluga, own_clew):
    clew = own_clew().start()
    run(beluga, clew, "run", "--service", "silent")
    run(beluga, clew, "run", "--service", "open", "--content")
    silent, told = (the_trace(clew, service=service) for service in ("silent", "open"))
    kept = [key for span in silent.spans for key in tags(span) if key in CONTENT]
    assert kept == []
    found = {key for span in told.spans for key in tags(span) if key in CONTENT}
    assert found == CONTENT
    call = min(told.named("chat gpt-4o"), key=end)
    messages = clew.get(f"/api/v1/traces/{told.id}/spans/{call['spanID']}")["gen"]["messages"]
    assert messages["input"][-1]["role"] == "user"
    assert messages["input"][-1]["parts"][0]["content"] == "What is the weather in Paris?"
    part = messages["output"][0]["parts"][0]
    assert (part["type"], part["name"], part["arguments"]) == ("tool_call", "get_weather", {"city": "Paris"})


def pdf(text):
    """A page that is not compressed."""
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
    return f"%PDF-1.4\n1 0 obj << /Length {len(stream)} >> stream\n{stream}\nendstream endobj\n%%EOF\n"


def test_bel_08_documents(beluga, own_clew, tmp_path):
    clew = own_clew().start()
    (tmp_path / "whales.pdf").write_text(pdf("Whales sing under the ice."))
    (tmp_path / "broken.pdf").write_text("no document at all")
    run(beluga, clew, "document", str(tmp_path / "whales.pdf"), str(tmp_path / "broken.pdf"), code=1)
    found = traces(clew, service="beluga-agent", tag="document.type:pdf")
    by_id = {tags(trace.one("process-document"))["document.id"]: trace for trace in found}
    assert set(by_id) == {"whales", "broken"}

    trace = by_id["whales"]
    root, parsed, embedded = (trace.one(f"{name}-document") for name in ("process", "parse", "embed"))
    assert trace.parent(parsed) is root and trace.parent(embedded) is root and trace.parent_id(root) is None
    assert tags(root)["otel.scope.name"] == "document-processor" and tags(root)["document.type"] == "pdf"
    assert events(embedded)["embedding-complete"] == {"dimensions": 1536}
    assert end(parsed) <= embedded["startTime"]
    assert trace.ancestors(trace.one("embeddings text-embedding-3-small")) == ["embed-document", "process-document"]
    # Which document failed, and where.
    assert_failed(by_id["broken"].one("parse-document"), "unreadable")
    assert by_id["broken"].named("embed-document") == []
    failed = clew.get("/api/v1/traces", q="has:error document.type:=pdf")["traces"]
    assert [each["traceId"] for each in failed] == [by_id["broken"].id]
    versions = clew.get("/api/v1/traces", q="service.version:=1.0.0")["traces"]
    assert {each["traceId"] for each in versions} == {each.id for each in found}
    shown(clew, trace)


@contextlib.contextmanager
def sampled_chat(beluga, clew, sampler):
    """A chat service that records a tenth of its traces, and a way to ask it often: each time below what that number says."""
    variables = {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": "0.1", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with chat_service(beluga, clew, "--latency-ms", "0", **variables) as url:
        def ask(numbers, headers):
            with requests.Session() as session:
                return {session.get(f"{url}/chat?q=hello", headers=headers(each), timeout=60).status_code for each in numbers}

        def ask_often(count, headers=lambda number: {}):
            with ThreadPoolExecutor(8) as pool:
                answers = pool.map(ask, [range(first, count, 8) for first in range(8)], [headers] * 8)
                assert set().union(*answers) == {200}

        yield ask_often


def test_bel_09_a_tenth_of_all_traces_each_of_them_whole(beluga, own_clew):
    clew, roots = own_clew().start(), 10_000
    with sampled_chat(beluga, clew, "traceidratio") as ask_often:
        ask_often(roots)
    kept = traces(clew, service="ai-chat-service", limit=1500)
    # Five standard deviations: of two million runs one is outside.
    assert abs(len(kept) - roots * 0.1) <= 150, len(kept)
    whole = {(None, "handleChat"), ("handleChat", "llm.generate"), ("llm.generate", "POST /v1/chat/completions")}
    assert all(trace.edges() == whole and len(trace.spans) == 3 for trace in kept)


def test_bel_09_what_a_caller_decided_holds(beluga, own_clew):
    clew, calls, parent = own_clew().start(), 200, "00f067aa0ba902b7"
    recorded, unseen = ([uuid.uuid4().hex for _ in range(calls)] for _ in range(2))
    with sampled_chat(beluga, clew, "parentbased_traceidratio") as ask_often:
        ask_often(calls, lambda number: {"traceparent": f"00-{recorded[number]}-{parent}-01"})
        ask_often(calls, lambda number: {"traceparent": f"00-{unseen[number]}-{parent}-00"})
        ask_often(calls)
    kept = {trace.id: trace for trace in traces(clew, service="ai-chat-service", limit=1500)}
    assert set(recorded) <= kept.keys() and not kept.keys() & set(unseen)
    assert all(kept[each].parent_id(kept[each].one("handleChat")) == parent for each in recorded)
    # Who has no caller is drawn by lot: five standard deviations.
    assert 0 < len(kept) - calls <= 41, len(kept)


def test_bel_10_a_lost_context_is_a_root_that_looks_odd(beluga, own_clew):
    clew = own_clew().start()
    run(beluga, clew, "mistakes", "--email", "user@example.com", "--key", "sk-" + "a1B2c3D4" * 5)
    lost = the_trace(clew, service="beluga-agent", operation="execute_tool calculate")
    assert lost.parent_id(lost.one("execute_tool calculate")) is None
    assert the_trace(clew, service="beluga-agent", operation="make-mistakes").id != lost.id
    # Nothing but an agent calls a tool: a trace that begins with one has lost what was above.
    odd = [each for each in clew.get("/api/v1/traces", q="kind:tool")["traces"] if each["rootKind"] == "tool"]
    assert [(each["traceId"], each["spans"]) for each in odd] == [(lost.id, 1)]
    # And the report of what is wrong with traces has it.
    (told,) = clew.get("/api/v1/findings", kind="suspiciousRoot")["findings"]
    assert (told["service"], told["operation"]) == ("beluga-agent", "execute_tool calculate")
    assert [each["traceId"] for each in told["examples"]] == [lost.id]


def export(clew, signal, folder):
    """All that is stored of a signal, as text: in the files it is compressed."""
    file = folder / f"{signal}.jsonl"
    subprocess.run([BINARY, "export", "--signal", signal, "--output", str(file), "--server", clew.api], check=True, timeout=60)
    return file.read_text()


def test_bel_10_secrets_and_people_are_not_stored(beluga, own_clew, tmp_path):
    clew = own_clew().start()
    key, email = "sk-" + "a1B2c3D4" * 5, "user@example.com"
    run(beluga, clew, "mistakes", "--email", email, "--key", key)
    span = tags(the_trace(clew, service="beluga-agent", operation="make-mistakes").one("make-mistakes"))
    # They are there, so that one sees who is to blame, but not what they were.
    assert key not in span["api.key"] and email not in span["user.email"] and span["note"] != ""
    told = "".join(export(clew, signal, tmp_path) for signal in ("traces", "logs", "metrics"))
    assert "make-mistakes" in told and "sk-" not in told and email not in told
    assert clew.stop() == 0
    stored = [path for path in Path(clew.directory).rglob("*") if path.is_file()]
    assert stored and not [path for path in stored if key.encode() in path.read_bytes()]
    assert not [path for path in stored if email.encode() in path.read_bytes()]


COMMAND = "cargo run -p beluga --"


def commands(readme):
    """The commands of each block of shell, except the one that starts the chat service."""
    blocks = re.findall(r"^```sh\n(.*?)^```", readme.read_text(), re.DOTALL | re.MULTILINE)
    return [block for block in blocks if block.strip() != f"{COMMAND} chat"]


def test_the_commands_of_the_readme_work(beluga, own_clew, tmp_path):
    clew = own_clew().start()
    blocks = commands(ROOT / "examples/beluga/README.md")
    assert len(blocks) == 9
    with chat_service(beluga, clew) as url:
        for block in blocks:
            script = block.replace(COMMAND, beluga).replace("http://127.0.0.1:8080", url)
            sent_to = environment(OTEL_EXPORTER_OTLP_ENDPOINT=clew.otlp_http)
            ended = subprocess.run(script, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=60, env=sent_to)
            # What is made to fail does: an API that hangs, and one query of a batch.
            fails = "--weather-hangs" in script or "batch" in script
            assert ended.returncode == int(fails), (script, ended)
    services = [trace["rootService"] for trace in clew.get("/api/v1/traces")["traces"]]
    assert {name: services.count(name) for name in services} == {"beluga-agent": 7, "my-ai-service": 1, "ai-chat-service": 5}
