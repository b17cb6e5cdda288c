"""What real libraries sent, recorded by `corpus/record.py`, is understood: kinds, models, tokens and cost of each trace."""

import json
from pathlib import Path

import pytest
import requests

PAYLOADS = [
    path for path in sorted((Path(__file__).parent / "corpus" / "payloads").glob("*.jsonl"))
    if path.with_suffix(".expected.json").exists()
]


def understood(clew, service):
    """What Clew makes of the traces of a service, in a form that a person can check."""
    traces = requests.get(f"{clew.api}/api/v1/traces", params={"q": f"service:={service}"}, timeout=30).json()["traces"]
    for trace in sorted(traces, key=lambda trace: trace["start"]):
        run = requests.get(f"{clew.api}/api/v1/traces/{trace['traceId']}/run", timeout=30).json()
        total = run["total"]
        counts = ("inputTokens", "outputTokens", "cachedTokens", "cacheWriteTokens", "reasoningTokens")
        calls = requests.get(f"{clew.api}/api/v1/traces/{trace['traceId']}/calls", timeout=30).json()["calls"]
        yield {
            "root": trace["rootName"], "kinds": trace["kinds"], "agents": trace["agents"], "models": trace["models"],
            "input": trace["input"], "state": run["state"], "calls": total["calls"],
            "usage": {count: int(total[count]) for count in counts},
            "cost": total["cost"] and round(total["cost"], 9), "unpriced": total["unpricedModels"],
            "said": [[call["earlierInput"], parts(call["newInput"]), parts(call["output"])] for call in calls],
            "notCounted": [call["notCountedBecause"] for call in run["calls"] if not call["counted"]],
        }


def parts(messages):
    return messages and [[message["role"], *(part["type"] for part in message["parts"])] for message in messages]


def send(clew, signal, lines):
    for line in lines:
        answer = requests.post(
            f"{clew.otlp_http}/v1/{signal}", data=line.encode(), headers={"content-type": "application/json"}, timeout=30
        )
        assert answer.ok, answer.text


def test_messages_in_log_records(own_clew):
    """Older OpenTelemetry instrumentations send messages as log records, which may come before their span."""
    server = own_clew().start()
    payload = next(path for path in PAYLOADS if path.stem == "otel_openai")
    send(server, "logs", payload.with_suffix(".logs.jsonl").read_text().splitlines())
    send(server, "traces", payload.read_text().splitlines())
    traces = requests.get(f"{server.api}/api/v1/traces", timeout=30).json()["traces"]
    first = min(traces, key=lambda trace: trace["start"])
    run = requests.get(f"{server.api}/api/v1/traces/{first['traceId']}/run", timeout=30).json()
    path = f"{server.api}/api/v1/traces/{first['traceId']}/spans/{run['calls'][0]['spanId']}"
    messages = requests.get(path, timeout=30).json()["gen"]["messages"]
    assert [message["role"] for message in messages["input"]] == ["system", "user"]
    assert messages["input"][1]["parts"] == [{"type": "text", "content": "How is the weather in Paris?"}]
    call = messages["output"][0]["parts"][0]
    assert (call["type"], call["name"], call["arguments"]) == ("tool_call", "get_weather", {"city": "Paris"})


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.stem)
def test_recorded_payload(clew, payload):
    lines = payload.read_text().splitlines()
    send(clew, "traces", lines)
    expected = json.loads(payload.with_suffix(".expected.json").read_text())
    assert list(understood(clew, payload.stem)) == expected

    # What was sent goes out again as it came in.
    sent = {attribute["key"] for line in lines for attribute in attributes(json.loads(line))}
    exported = requests.get(f"{clew.api}/api/v1/export/traces", params={"q": f"service:={payload.stem}"}, timeout=30)
    kept = {attribute["key"] for line in exported.text.splitlines() for attribute in attributes(json.loads(line))}
    assert sent == kept


def attributes(request):
    for resource in request["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                yield from span.get("attributes", [])
