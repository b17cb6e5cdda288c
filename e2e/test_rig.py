"""An agent of rig, the program in `e2e/rig`: the SDK makes full spans of rig's own, and Clew a run of them."""

import json
import os
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from clew import wait_until

FOLDER = Path(__file__).resolve().parent / "rig"
# So long the model named `slow` thinks, in seconds, when it has taken a request up.
DELAY = 0.3
USAGE = {
    "prompt_tokens": 1200, "completion_tokens": 40, "total_tokens": 1240,
    "prompt_tokens_details": {"cached_tokens": 1024}, "completion_tokens_details": {"reasoning_tokens": 16},
}


@pytest.fixture(scope="session")
def binary():
    """`FORECAST_BIN`, or what cargo builds."""
    if "FORECAST_BIN" in os.environ:
        return os.environ["FORECAST_BIN"]
    version = subprocess.run(["rustc", "--version"], stdout=subprocess.PIPE, check=True, text=True).stdout.split()[1]
    if tuple(int(part) for part in version.split(".")[:2]) < (1, 95):
        pytest.skip(f"rig wants Rust 1.95, and this is {version}")
    command = ["cargo", "build", "--quiet", "--locked", "--manifest-path", FOLDER / "Cargo.toml", "--message-format", "json"]
    built = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    found = [json.loads(line).get("executable") for line in built.splitlines()]
    return [path for path in found if path][-1]


class Provider(BaseHTTPRequestHandler):
    """Chat completions: a call of the tool, then an answer; how well that goes, the model's name says."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        model = request["model"]
        answered = any(message["role"] == "tool" for message in request["messages"])
        if model == "refused" or (model == "fails-later" and answered):
            error = {"error": {"message": "no such model", "type": "invalid_request_error", "code": "model_not_found"}}
            return self.answer(404, json.dumps(error).encode(), "application/json")
        message, reason = {"role": "assistant", "content": "It is sunny."}, "length" if model == "cut" else "stop"
        if not answered:
            arguments = json.dumps({"city": "Atlantis" if model == "no-station" else "Paris"})
            call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": arguments}}
            message, reason = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
        about = {"id": f"chatcmpl-{len(request['messages'])}", "created": 1790000000, "model": "gpt-4o-2024-08-06"}
        if not request.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": reason}
            body = about | {"object": "chat.completion", "choices": [choice], "usage": USAGE}
            return self.answer(200, json.dumps(body).encode(), "application/json")
        about |= {"object": "chat.completion.chunk"}
        message = dict(message)
        calls = [{"index": 0, **call} for call in message.pop("tool_calls", [])]
        deltas = [{"role": "assistant", "content": ""}, {"tool_calls": calls} if calls else {"content": "It is "}]
        deltas += [] if calls else [{"content": "sunny."}]
        chunks = [about | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        chunks += [about | {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}, about | {"choices": [], "usage": USAGE}]
        events = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks] + [b"data: [DONE]\n\n"]
        broken = model == "breaks-off" and answered
        delay = DELAY if model == "slow" else 0
        return self.answer(200, b"".join(events[:2] if broken else events), "text/event-stream", delay)

    def answer(self, status, body, kind, delay=0):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-request-id", "req_1")
        self.end_headers()
        time.sleep(delay)
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def provider():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


class Trace:
    """What one run of the program left."""

    def __init__(self, clew, trace_id):
        self.run = clew.get(f"/api/v1/traces/{trace_id}/run")
        self.spans = sorted(clew.trace(trace_id)["spans"], key=lambda span: span["startTime"])
        for span in self.spans:
            span["tags"] = {tag["key"]: tag["value"] for tag in span["tags"]}

    def named(self, name):
        return [span for span in self.spans if span["operationName"] == name]

    def parent(self, span):
        (above,) = [reference["spanID"] for reference in span["references"] if reference["refType"] == "CHILD_OF"]
        (parent,) = [each for each in self.spans if each["spanID"] == above]
        return parent["operationName"]


@pytest.fixture
def ask(binary, provider, own_clew):
    def asked(model, how, spans):
        clew = own_clew().start()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        environment |= {
            "OPENAI_BASE_URL": provider, "OPENAI_API_KEY": "hunter2", "OTEL_EXPORTER_OTLP_ENDPOINT": clew.otlp_http,
        }
        command = [binary, model, how]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
        assert done.returncode == 0, done.stderr

        def found():
            traces = clew.get("/api/v1/traces", limit=20)["traces"]
            return traces if traces and sum(int(trace["spans"]) for trace in traces) >= spans else None

        (trace,) = wait_until(found, 60, f"{spans} spans arrive")
        return Trace(clew, trace["traceId"]), done.stdout

    return asked


def tags(span, **expected):
    for key, value in expected.items():
        key = key.replace("__", ".")
        found = span["tags"].get(key)
        if isinstance(value, list) and isinstance(found, str):
            found = json.loads(found)
        assert (str(found) if isinstance(value, int) else found) == (str(value) if isinstance(value, int) else value), f"{key}: {span}"


@pytest.mark.parametrize("how", ["whole", "stream", "below"])
def test_a_run(ask, how):
    """An agent, two calls of a model and one of a tool: names, kinds, tokens once, cost, and what was said."""
    trace, told = ask("gpt-4o", how, 6 if how == "below" else 5)
    (agent,) = trace.named("invoke_agent weather")
    if how == "below":
        # rig asks for a trace of its own, but only because it knows of no other.
        assert trace.run["traceId"] == told.strip() and trace.parent(agent) == "request"
    first, second = trace.named("chat gpt-4o")
    (tool,) = trace.named("execute_tool get_weather")
    assert {trace.parent(span) for span in (first, second, tool)} == {"invoke_agent weather"}
    assert trace.parent(trace.named("look out of the window")[0]) == "execute_tool get_weather"
    for call, reason in ((first, "tool_call"), (second, "stop")):
        tags(
            call, span__kind="client", gen_ai__operation__name="chat", gen_ai__provider__name="openai",
            gen_ai__request__model="gpt-4o", gen_ai__response__model="gpt-4o-2024-08-06", gen_ai__agent__name="weather",
            gen_ai__usage__input_tokens=1200, gen_ai__usage__cache_read__input_tokens=1024, gen_ai__usage__output_tokens=40,
            gen_ai__usage__reasoning__output_tokens=16, gen_ai__response__finish_reasons=[reason],
            gen_ai__request__max_tokens=256, gen_ai__request__temperature=0.7,
        )
        assert call["tags"]["gen_ai.response.id"].startswith("chatcmpl-")
        first_chunk = call["tags"].get("gen_ai.response.time_to_first_chunk")
        assert (first_chunk is not None) == (how == "stream")
        assert first_chunk is None or 0 < float(first_chunk) <= call["duration"] / 1e6
        (said,) = json.loads(call["tags"]["gen_ai.output.messages"])
        assert said["finish_reason"] == reason
        assert json.loads(call["tags"]["gen_ai.tool.definitions"])[0]["function"]["name"] == "get_weather"
        assert json.loads(call["tags"]["gen_ai.system_instructions"])[0]["content"] == "Be short."
    tags(
        tool, span__kind="internal", gen_ai__tool__name="get_weather", gen_ai__tool__call__id="call_1",
        gen_ai__tool__type="function", gen_ai__tool__call__result="sunny", gen_ai__tool__call__arguments='{"city":"Paris"}',
    )
    question = json.loads(agent["tags"]["gen_ai.input.messages"])
    assert question == [{"role": "user", "parts": [{"type": "text", "content": "How is the weather in Paris?"}]}]
    assert json.loads(agent["tags"]["gen_ai.output.messages"])[0]["parts"][0]["content"] == "It is sunny."
    assert not any("error" in span["tags"] for span in trace.spans)

    assert trace.run["state"] == "succeeded" and not trace.run["findings"]
    total = trace.run["total"]
    assert (total["calls"], total["inputTokens"], total["outputTokens"], total["cachedTokens"]) == (2, "2400", "80", "2048")
    # 352 tokens at 2.5, 2,048 cached ones at 1.25, and 80 at 10 dollars a million.
    assert total["cost"] == pytest.approx((352 * 2.5 + 2048 * 1.25 + 80 * 10) / 1e6) and not total["unpricedModels"]
    assert [each["name"] for each in trace.run["byAgent"]] == ["weather"]
    counted = [call for call in trace.run["calls"] if call["counted"]]
    assert [call["model"] for call in counted] == ["gpt-4o-2024-08-06"] * 2 or [call["model"] for call in counted] == ["gpt-4o"] * 2
    assert all((call["timeToFirstTokenMs"] is not None) == (how == "stream") for call in counted)


@pytest.mark.parametrize("how", ["whole", "stream"])
def test_a_tool_that_fails(ask, how):
    """The tool's failure is the tool's; the model goes on with it."""
    trace, _ = ask("no-station", how, 5)
    (tool,) = trace.named("execute_tool get_weather")
    assert tool["tags"]["error.type"] and tool["tags"]["otel.status_code"] == "ERROR"
    assert trace.run["firstFailure"]["name"] == "execute_tool get_weather"
    assert trace.run["state"] == "recovered"
    assert not any("error" in span["tags"] for span in trace.spans if span is not tool)


@pytest.mark.parametrize(("model", "how", "spans"), [
    ("refused", "whole", 2), ("refused", "stream", 2), ("fails-later", "whole", 5), ("breaks-off", "stream", 5),
])
def test_a_model_that_fails(ask, model, how, spans):
    """A call without an answer has failed, and with it the run that needed it."""
    trace, told = ask(model, how, spans)
    assert told.startswith("failed: ")
    *before, last = trace.named(f"chat {model}")
    (agent,) = trace.named("invoke_agent weather")
    for span in (last, agent):
        assert (span["tags"]["error.type"], span["tags"]["otel.status_code"]) == ("_OTHER", "ERROR")
    assert not any("error" in span["tags"] for span in before)
    assert trace.run["state"] == "failed" and trace.run["firstFailure"]["name"] == f"chat {model}"


def test_an_answer_that_is_cut_off(ask):
    """Why an answer ended is the provider's word for it, though rig's spans have none."""
    trace, _ = ask("cut", "stream", 5)
    tags(trace.named("chat cut")[1], gen_ai__response__finish_reasons=["length"])


def test_the_first_chunk_is_what_comes_first(ask):
    """Not when the provider takes the request up: when it begins to answer."""
    trace, _ = ask("slow", "stream", 5)
    for call in trace.named("chat slow"):
        assert DELAY <= float(call["tags"]["gen_ai.response.time_to_first_chunk"]) <= call["duration"] / 1e6
