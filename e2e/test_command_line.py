"""The command line against a running server, as a user types it."""

import json
import os
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest
import requests

from clew import BINARY, free_ports, wait_until


def run(*arguments, clew=None, expect=0, environment=None):
    variables = {**os.environ, **(environment or {})}
    if clew:
        variables |= {"CLEW_SERVER": clew.api, "OTEL_EXPORTER_OTLP_ENDPOINT": clew.otlp_http}
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=120, env=variables)
    assert done.returncode == expect, f"{arguments}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def demo(clew):
    printed = run("demo", "--endpoint", clew.otlp_http, clew=clew)
    return re.search(r"[0-9a-f]{32}", printed).group()


def test_demo_is_found_and_drawn(own_clew):
    clew = own_clew().start()
    trace_id = demo(clew)
    summary = clew.get(f"/api/v1/traces/{trace_id}")
    assert summary["errors"] >= 1 and summary["orphans"] == 0 and len(summary["agents"]) >= 2
    assert {"agent", "llm", "tool", "retrieval", "policy", "message"} <= set(summary["kinds"])
    assert int(summary["inputTokens"]) > 0 and len(summary["services"]) >= 2 and summary["input"]
    assert clew.get("/api/logs", trace_id=trace_id)["logs"] and clew.get("/api/v1/metrics")["metrics"]
    assert trace_id in run("search", "kind:tool", clew=clew) or trace_id[:8] in run("search", "kind:tool", clew=clew)
    found = json.loads(run("search", "has:error", "--json", clew=clew))
    assert trace_id in json.dumps(found)
    drawn = run("trace", trace_id, clew=clew)
    assert len(drawn.splitlines()) > summary["spans"] and "\x1b[" not in drawn
    assert len(json.loads(run("trace", trace_id, "--json", clew=clew))["spans"]) == summary["spans"]
    run("trace", "f" * 32, clew=clew, expect=3)
    run("search", "kind:", clew=clew, expect=2)
    run("doctor", clew=clew)


def test_tail_shows_what_arrives(own_clew):
    clew = own_clew().start()
    tail = subprocess.Popen([BINARY, "tail"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "CLEW_SERVER": clew.api})
    os.set_blocking(tail.stdout.fileno(), False)
    seen = []
    try:
        wait_until(lambda: demo(clew) and (seen.append(tail.stdout.read() or "") or "".join(seen)), 30, "tail prints")
        assert tail.poll() is None
    finally:
        tail.terminate()
        tail.wait(10)


def test_demo_keeps_sending(own_clew):
    clew = own_clew().start()
    run("demo", "--rate", "5", "--for", "2s", "--endpoint", clew.otlp_http, clew=clew)
    assert len(clew.get("/api/v1/traces", limit=100)["traces"]) >= 5


def test_unreachable_server_is_explained():
    port = free_ports(1)[0]
    done = subprocess.run([BINARY, "search", "--server", f"http://127.0.0.1:{port}"], capture_output=True, text=True)
    assert done.returncode == 4 and "clew serve" in done.stderr


def test_port_taken_names_port_key_and_holder(own_clew):
    clew = own_clew()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", clew.http))
        holder.listen()
        done = subprocess.run(
            [BINARY, "serve", "--data-directory", str(clew.directory), "--otlp-http-address", f"127.0.0.1:{clew.http}",
             "--otlp-grpc-address", f"127.0.0.1:{clew.grpc}", "--query-address", f"127.0.0.1:{clew.query}",
             "--prometheus-address", "none"],
            capture_output=True, text=True, timeout=20)
    assert done.returncode != 0
    for part in (str(clew.http), "otlp.http-address", str(os.getpid())):
        assert part in done.stderr, done.stderr


def test_configuration_is_one_tree(tmp_path):
    file = tmp_path / "clew.yaml"
    file.write_text("otlp:\n  http-address: 127.0.0.1:5318\nstorage:\n  max-age: 3d\n")
    printed = run("config", "print", "--config", str(file), environment={"CLEW_STORAGE_MAX_AGE": "5d"})
    age = next(line for line in printed.splitlines() if "max-age" in line)
    assert "5d" in age and "CLEW_STORAGE_MAX_AGE" in age
    file.write_text("otlp:\n  htp-address: 127.0.0.1:5318\n")
    done = subprocess.run([BINARY, "config", "print", "--config", str(file)], capture_output=True, text=True)
    assert done.returncode == 2 and "htp-address" in done.stderr and "http-address" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_and_manual(shell, tmp_path):
    assert "clew" in run("completions", shell)
    run("man", str(tmp_path))
    assert (tmp_path / "clew.1").exists() and (tmp_path / "clew-serve.1").exists()


def test_second_server_on_the_same_data_is_refused(own_clew):
    clew = own_clew().start()
    other = own_clew(name="unused")
    done = subprocess.run(
        [BINARY, "serve", "--data-directory", str(clew.directory), "--otlp-http-address", f"127.0.0.1:{other.http}",
         "--otlp-grpc-address", f"127.0.0.1:{other.grpc}", "--query-address", f"127.0.0.1:{other.query}",
         "--prometheus-address", "none"],
        capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "in use" in done.stderr


def test_a_deleted_trace_is_in_no_file(own_clew):
    clew = own_clew().start()
    kept, gone = demo(clew), demo(clew)
    spans = clew.get(f"/api/v1/traces/{gone}")["spans"]
    name = requests.get(f"{clew.api}/api/traces/{gone}", timeout=20).json()["data"][0]["spans"][0]["spanID"]
    run("delete", "--trace", gone, clew=clew, expect=2)
    other_site = {"Origin": "http://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    refused = requests.delete(f"{clew.api}/api/v1/traces/{gone}", headers=other_site, timeout=20)
    assert refused.status_code == 403, refused.text
    deleted = json.loads(run("delete", "--trace", gone, "--yes", "--json", clew=clew))
    assert int(deleted["spans"]) == spans and int(deleted["logRecords"]) > 0
    run("trace", gone, clew=clew, expect=3)
    run("delete", "--trace", gone, "--yes", clew=clew, expect=3)
    assert gone not in run("search", "", "--json", clew=clew)
    assert clew.get("/api/logs", trace_id=gone)["logs"] == []
    assert clew.get(f"/api/v1/traces/{kept}")["spans"] > 0
    needles = [bytes.fromhex(gone), gone.encode(), bytes.fromhex(name)]
    for file in (path for path in clew.directory.rglob("*") if path.is_file()):
        content = file.read_bytes()
        assert not any(needle in content for needle in needles), file
    assert clew.stop() == 0


def test_everything_of_a_tenant_is_deleted(own_clew):
    clew = own_clew().start()
    trace_id = demo(clew)
    span = {"traceId": "a" * 32, "spanId": "b" * 16, "name": "theirs"}
    answer = requests.post(clew.otlp_http + "/v1/traces", headers={"X-Scope-OrgID": "acme"}, timeout=20,
                           json={"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
    assert answer.status_code == 200
    run("delete", "--everything", clew=clew, expect=2)
    assert "deleted 1 spans, 0 log records, 0 metric points" in run(
        "delete", "--everything", "--tenant", "acme", "--yes", clew=clew)
    theirs = requests.get(f"{clew.api}/api/v1/traces/{'a' * 32}", headers={"X-Scope-OrgID": "acme"}, timeout=20)
    assert theirs.status_code == 404 and clew.get(f"/api/v1/traces/{trace_id}")["spans"] == 41
    run("delete", "--everything", "--yes", clew=clew)
    assert clew.get("/api/v1/traces")["traces"] == [] and clew.get("/api/v1/metrics")["metrics"] == []
    assert not list(clew.directory.rglob("*.parquet"))
    assert clew.get(f"/api/v1/traces/{demo(clew)}")["spans"] == 41


def test_bench_and_inspect(own_clew):
    clew = own_clew(extra=["--storage-seal-age", "1s"]).start()
    report = json.loads(run("bench", "ingest", "--spans", "3000", "--json", clew=clew))
    assert report["spans"] >= 3000 and report["rejected"] == 0 and report["requests"] >= 3
    assert 700 < report["wireBytesPerSpan"] < 1200 and report["processorMicrosecondsPerSpan"] > 0
    wait_until(lambda: int(clew.get("/api/v1/status")["stored"]["spans"]) == report["spans"], message="all is stored")
    questions = json.loads(run("bench", "query", "--rounds", "2", "--json", clew=clew))
    assert len(questions) == 14 and all(each["latencyMilliseconds"]["p50"] > 0 for each in questions)
    wait_until(lambda: clew.get("/api/v1/status")["blocks"] > 0, message="a block is sealed")
    assert clew.stop() == 0
    directory = json.loads(run("inspect", str(clew.directory), "--json"))
    assert sum(table["rows"] for table in directory["tables"]) == report["spans"] and not directory["damaged"]
    blocks = [str(path) for path in clew.directory.rglob("*.parquet")]
    for line in run("inspect", "--json", *blocks).splitlines():
        block = json.loads(line)
        assert block["kind"] == "block" and block["rows"] > 0 and block["columns"][0]["name"] == "trace_id"
    assert "trace_id" in run("inspect", blocks[0])
    run("inspect", str(clew.directory / "lock"), expect=1)


BENCHED_KINDS = {"agent", "workflow", "llm", "tool", "retrieval", "http"}


def test_bench_ingest_stores_what_it_counts(own_clew):
    clew = own_clew(extra=["--storage-seal-age", "1s"]).start()
    done = run("bench", "ingest", "--endpoint", clew.otlp_http, "--spans", "2000", "--json", clew=clew)
    report = json.loads(done)
    assert report["spans"] == report["storedSpans"] == 2000
    assert report["rejected"] == report["lost"] == report["retries"] == report["brokenConnections"] == 0
    assert 700 <= report["wireBytesPerSpan"] <= 1150
    latency = report["latencyMilliseconds"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"]
    assert report["process"]["id"] == clew.process.pid
    assert report["processorMicrosecondsPerSpanAtRest"] > 0 and report["peakMemoryBytes"] > 0
    assert report["unsealedBytes"] == 0 and report["diskBytesPerSpan"] > 0
    traces = clew.get("/api/v1/traces", limit=1000)["traces"]
    assert sum(trace["spans"] for trace in traces) == 2000
    assert all(trace["orphans"] == 0 and not trace["running"] for trace in traces)
    assert BENCHED_KINDS <= {kind for trace in traces for kind in trace["kinds"]}
    # The same seed once more is other spans.
    assert json.loads(run("bench", "ingest", "--endpoint", clew.otlp_http, "--spans", "2000", "--json", clew=clew))[
        "storedSpans"] == 2000


def test_bench_ingest_measures_only_the_server_behind_the_endpoint(own_clew):
    measured, other = own_clew(name="measured").start(), own_clew(name="other").start()
    # CLEW_SERVER names the other one: nothing is known of what is on disk, rather than something wrong.
    report = json.loads(run("bench", "ingest", "--endpoint", measured.otlp_http, "--spans", "600", "--json", clew=other))
    assert report["spans"] == 600 and report["process"]["id"] == measured.process.pid
    assert report["diskBytesPerSpan"] is report["storedSpans"] is report["unsealedBytes"] is None


def test_bench_ingest_says_when_spans_are_lost(own_clew):
    clew = own_clew().start()
    wrong = f"{clew.otlp_http}/nowhere"
    refused = json.loads(run("bench", "ingest", "--endpoint", wrong, "--spans", "600", "--json", clew=clew, expect=1))
    assert refused["spans"] == 0 and refused["rejected"] + refused["lost"] == 600 and "404" in refused["reason"]
    port = free_ports(1)[0]
    run("bench", "ingest", "--endpoint", f"http://127.0.0.1:{port}", "--spans", "10", clew=clew, expect=4)
    run("bench", "ingest", "--endpoint", clew.otlp_http, "--content", "2", clew=clew, expect=2)


def test_bench_query_asks_about_what_is_stored(own_clew):
    clew = own_clew().start()
    run("bench", "query", "--rounds", "2", clew=clew, expect=3)
    run("bench", "ingest", "--endpoint", clew.otlp_http, "--spans", "2000", clew=clew)
    measured = {each["question"]: each for each in json.loads(run("bench", "query", "--rounds", "2", "--json", clew=clew))}
    assert {"a trace by its id", "a trace that is not there", "the newest 20", "a service", "status:error", "kind:llm",
            "duration:>1s", "user.id:=…", "values of service.name"} <= set(measured)
    for each in measured.values():
        assert each["rounds"] == 2 and each["wrong"] == each["incomplete"] == 0, each
        assert each["latencyMilliseconds"]["p50"] > 0 and each["processorMilliseconds"] is not None


@pytest.mark.parametrize(
    "system, services",
    [
        ("beluga", {"beluga-agent"}),
        ("agenthub", {"agenthub-broker", "agenthub-publisher", "agenthub-subscriber"}),
        ("aob", {"aob-api", "aob-opa", "aob-model-gateway", "aob-tool-gateway", "aob-worker"}),
    ],
)
def test_demo_of_a_system(own_clew, system, services):
    """The programs of the examples stand beside `clew`."""
    if not (Path(BINARY).parent / system).exists():
        pytest.skip(f"{system} is not built")
    server = own_clew().start()
    done = subprocess.run(
        [BINARY, "demo", "--system", system, "--endpoint", server.otlp_http, "--server", server.api],
        capture_output=True, text=True, timeout=120, cwd=Path(__file__).parent.parent,
    )
    assert done.returncode == 0, done.stderr
    assert f"{server.api}/traces" in done.stdout
    assert services <= set(requests.get(f"{server.api}/api/services", timeout=30).json()["data"])


# What steers a terminal, or turns the direction of text.
STEERING = "\x1b]0;title\x07 \x9b31m \u202egnp.exe\u2066 \u200f\u061c \x7f\x85"


def test_no_text_from_outside_steers_the_terminal(own_clew):
    clew = own_clew().start()
    trace, span = "7f" * 16, "8e" * 8
    odd = [{"key": key, "value": {"stringValue": STEERING}} for key in ("gen_ai.request.model", "odd", "gen_ai.agent.name")]
    clew.post("/v1/traces", {"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": STEERING}}]},
        "scopeSpans": [{"scope": {"name": STEERING}, "spans": [{
            "traceId": trace, "spanId": span, "name": STEERING, "attributes": odd,
            "startTimeUnixNano": str(time.time_ns() - 1_000_000_000), "endTimeUnixNano": str(time.time_ns()),
        }]}],
    }]})
    steering = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
    printed = {}
    for arguments in [
        ("search",), ("search", "--json"), ("trace", trace), ("trace", trace, "--json"), ("export",), ("doctor",), ("doctor", "--json"),
        ("prices", "explain", trace), ("prices", "explain", trace, "--json"),
        ("inspect", str(clew.directory)), ("inspect", "--json", str(clew.directory)),
        ("delete", "--trace", trace, "--yes", "--json"),
    ]:
        printed[arguments] = run(*arguments, clew=clew)
        assert not steering.search(printed[arguments]), arguments
    assert json.loads(printed["trace", trace, "--json"])["spans"][0]["name"] == STEERING
    line = json.loads(printed["export",])
    assert line["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] == STEERING
    assert "\\u202egnp.exe" in printed["trace", trace]
    failed = subprocess.run([BINARY, "trace", STEERING, "--server", clew.api], capture_output=True, text=True, timeout=60)
    assert failed.returncode != 0 and not steering.search(failed.stderr), failed.stderr
