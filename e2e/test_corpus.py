"""What real libraries sent, recorded by `corpus/record.py`, is understood: kinds, models, tokens and cost of each trace."""

import json
from pathlib import Path

import pytest
import requests

FOLDER = Path(__file__).parent / "corpus" / "payloads"
PAYLOADS = sorted(path.name.removesuffix(".expected.json") for path in FOLDER.glob("*.expected.json"))
SIGNALS = {"logs": ".logs.jsonl", "metrics": ".metrics.jsonl", "traces": ".jsonl"}


def understood(clew):
    """What Clew makes of all traces, in a form that a person can check."""
    traces = requests.get(f"{clew.api}/api/v1/traces", timeout=30).json()["traces"]
    for trace in sorted(traces, key=lambda trace: (trace["start"], trace["traceId"])):
        path = f"{clew.api}/api/v1/traces/{trace['traceId']}"
        run = requests.get(f"{path}/run", timeout=30).json()
        calls = requests.get(f"{path}/calls", timeout=30).json()["calls"]
        total = run["total"]
        counts = ("inputTokens", "outputTokens", "cachedTokens", "cacheWriteTokens", "reasoningTokens")
        yield {
            "root": trace["rootName"], "kinds": trace["kinds"], "agents": trace["agents"], "models": trace["models"],
            "input": trace["input"], "conversation": trace["conversation"], "state": run["state"], "calls": total["calls"],
            "usage": {count: int(total[count]) for count in counts},
            "cost": total["cost"] and round(total["cost"], 9), "unpriced": total["unpricedModels"],
            "said": [[call["earlierInput"], parts(call["newInput"]), parts(call["output"])] for call in calls],
            "notCounted": [call["notCountedBecause"] for call in run["calls"] if not call["counted"]],
        }


def parts(messages):
    return messages and [[message["role"], *(part["type"] for part in message["parts"])] for message in messages]


def lines(name, signal):
    path = FOLDER / (name + SIGNALS[signal])
    return path.read_text().splitlines() if path.exists() else []


def send(clew, name, signals=SIGNALS):
    for signal in signals:
        for line in lines(name, signal):
            answer = requests.post(
                f"{clew.otlp_http}/v1/{signal}", data=line.encode(), headers={"content-type": "application/json"}, timeout=30
            )
            assert answer.ok, answer.text


@pytest.mark.parametrize("name", PAYLOADS)
def test_recorded_payload(own_clew, name):
    server = own_clew().start()
    send(server, name)
    assert list(understood(server)) == json.loads((FOLDER / f"{name}.expected.json").read_text())

    # What was sent goes out again as it came in.
    sent = {attribute["key"] for line in lines(name, "traces") for attribute in attributes(json.loads(line))}
    exported = requests.get(f"{server.api}/api/v1/export/traces", timeout=30).text.splitlines()
    kept = {attribute["key"] for line in exported for attribute in attributes(json.loads(line))}
    assert sent == kept or not sent


def attributes(request):
    for resource in request["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                yield from span.get("attributes", [])


@pytest.mark.parametrize("order", [("logs", "traces"), ("traces", "logs")], ids="-".join)
def test_messages_in_log_records(own_clew, order):
    """Older OpenTelemetry instrumentations send messages as log records, which may come before or after their span."""
    server = own_clew().start()
    send(server, "otel_openai", order)
    traces = requests.get(f"{server.api}/api/v1/traces", timeout=30).json()["traces"]
    first = min(traces, key=lambda trace: trace["start"])
    run = requests.get(f"{server.api}/api/v1/traces/{first['traceId']}/run", timeout=30).json()
    path = f"{server.api}/api/v1/traces/{first['traceId']}/spans/{run['calls'][0]['spanId']}"
    messages = requests.get(path, timeout=30).json()["gen"]["messages"]
    assert [message["role"] for message in messages["input"]] == ["system", "user"]
    assert messages["input"][1]["parts"] == [{"type": "text", "content": "How is the weather in Paris?"}]
    call = messages["output"][0]["parts"][0]
    assert (call["type"], call["name"], call["arguments"]) == ("tool_call", "get_weather", {"city": "Paris"})
