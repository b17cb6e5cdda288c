"""AgentHub (`examples/agenthub`): three real processes, one trace per task. The cases AH-01 to AH-10 of the seeds."""

import base64
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
import requests

from clew import free_ports, wait_until

TREE = [
    ("publish_event", "agenthub-publisher", ""),
    ("route_task", "agenthub-broker", "publish_event"),
    ("consume_event", "agenthub-subscriber", "route_task"),
    ("process_task", "agenthub-subscriber", "consume_event"),
    ("publish_result", "agenthub-subscriber", "process_task"),
]
NAMES = [name for name, _, _ in TREE]
ALL_NAMES = {*NAMES, "validate_input", "compute_result", "persist_result", "route_result", "receive_result"}


@pytest.fixture(scope="session")
def binary():
    """The program: `AGENTHUB_BIN`, or built from source."""
    if named := os.environ.get("AGENTHUB_BIN"):
        return named
    command = ["cargo", "build", "--quiet", "-p", "agenthub", "--message-format", "json"]
    built = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    artifacts = [json.loads(line) for line in built.splitlines()]
    return next(each["executable"] for each in artifacts if each.get("executable"))


class AgentHub:
    """The processes of one system on ports of its own, and the server that they send to."""

    def __init__(self, binary, clew, directory):
        self.binary, self.clew, self.directory = binary, clew, directory
        self.grpc, *pages = free_ports(4)
        self.pages = dict(zip(("broker", "publisher", "subscriber"), pages))
        self.processes = []

    def start(self, role, *arguments, **environment):
        address = f"127.0.0.1:{self.grpc}"
        own = ["--listen", address] if role == "broker" else ["--broker", f"http://{address}"]
        if role != "publisher":
            own += ["--data", str(self.directory / role)]
        telemetry = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.clew.otlp_http,
            "OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BLRP_SCHEDULE_DELAY": "50", "OTEL_METRIC_EXPORT_INTERVAL": "200",
        }
        command = [self.binary, role, *own, "--health", f"127.0.0.1:{self.pages[role]}", *arguments]
        with open(self.log_path(role), "ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **telemetry, **environment})
        self.processes.append(process)
        return process

    def start_both(self):
        """A broker and a subscriber that is connected to it."""
        both = self.start("broker"), self.start("subscriber")
        self.wait_ready("subscriber")
        return both

    def publish(self, *arguments, exit_code=0, **environment):
        """Runs a publisher to its end."""
        process = self.start("publisher", *arguments, **environment)
        assert process.wait(60) == exit_code, self.log_text("publisher")

    def log_path(self, role):
        return self.directory / f"{role}.log"

    def log_text(self, role):
        return self.log_path(role).read_text()

    def log_lines(self, role):
        return [json.loads(line) for line in self.log_text(role).splitlines()]

    def page(self, role, path):
        """The status and text of a page; (0, "") while nobody listens."""
        try:
            answer = requests.get(f"http://127.0.0.1:{self.pages[role]}{path}", timeout=5)
        except requests.ConnectionError:
            return 0, ""
        return answer.status_code, answer.text

    def wait_ready(self, role):
        wait_until(lambda: self.page(role, "/ready")[0] == 200, 20, f"{role} is ready")

    def queued(self):
        """The events in the broker's file that nobody has acknowledged."""
        events = {}
        for line in (self.directory / "broker" / "queue.jsonl").read_text().splitlines():
            line = json.loads(line)
            if "event" in line:
                events[line["event"]["event_id"]] = line["event"]
            else:
                events.pop(line["acknowledged"])
        return events

    def requeue(self, event):
        """Puts an event into the stopped broker's file, in place of all others."""
        (self.directory / "broker" / "queue.jsonl").write_text(json.dumps({"event": event}) + "\n")

    def traces(self, **parameters):
        return [Trace(each) for each in self.clew.get("/api/traces", limit=1500, **parameters)["data"]]

    def whole_trace(self, task, names=frozenset(ALL_NAMES)):
        """The one trace of a task, once it has all these spans."""
        def found():
            traces = self.traces(tags=f"event.id:{task}")
            return len(traces) == 1 and traces[0].has(names) and traces[0]
        return wait_until(found, 20, f"{task} has {sorted(names)}")

    def stop(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Trace:
    """A trace of Jaeger's JSON API."""

    def __init__(self, data):
        self.id, self.spans = data["traceID"], sorted(data["spans"], key=lambda span: span["startTime"])
        self.services = {key: process["serviceName"] for key, process in data["processes"].items()}
        self.by_id = {span["spanID"]: span for span in self.spans}

    def has(self, names):
        """Whether these spans are there; of a whole trace the acknowledgements, too, which come last."""
        acknowledged = self.names.count("agenthub.AgentHub/AcknowledgeMessage") >= 4
        return names <= set(self.names) and (acknowledged or not ALL_NAMES <= names)

    @property
    def names(self):
        return [span["operationName"] for span in self.spans]

    @property
    def steps(self):
        """The names without those of the calls between processes."""
        return [name for name in self.names if not name.startswith("agenthub.AgentHub/")]

    def service(self, span):
        return self.services[span["processID"]]

    def parent(self, span):
        above = [each["spanID"] for each in span["references"] if each["refType"] == "CHILD_OF"]
        return above[0] if above else ""

    def near(self, span, names):
        """The name of the nearest span above that has one of these names."""
        above = self.by_id.get(self.parent(span))
        while above and above["operationName"] not in names:
            above = self.by_id.get(self.parent(above))
        return above["operationName"] if above else ""

    def the(self, name):
        spans = [span for span in self.spans if span["operationName"] == name]
        assert len(spans) == 1, f"{len(spans)} spans {name} among {self.names}"
        return spans[0]

    def start(self):
        return self.spans[0]["startTime"]

    def end(self):
        return max(map(end, self.spans))

    def assert_tree(self):
        rows = Counter((s["operationName"], self.service(s), self.near(s, NAMES)) for s in self.spans)
        assert [rows[row] for row in TREE] == [1] * len(TREE), rows


def tags(span):
    return {tag["key"]: tag["value"] for tag in span["tags"]}


def types(span):
    return {tag["key"]: tag["type"] for tag in span["tags"]}


def events(span):
    """(name, attributes) of each event."""
    rows = [{field["key"]: field["value"] for field in log["fields"]} for log in span["logs"]]
    return [(row.pop("event"), row) for row in rows]


def end(span):
    return span["startTime"] + span["duration"]


@pytest.fixture
def hub(binary, own_clew, tmp_path):
    server = own_clew().start()
    system = AgentHub(binary, server, tmp_path)
    yield system
    system.stop()
    server.stop()


def test_ah01_one_trace_over_three_processes(hub):
    hub.start_both()
    # A publisher that ends at once loses nothing: its spans are sent at its end, long before their time.
    hub.publish("--task", "task_123", "--parameters", '{"name":"Claude"}', OTEL_BSP_SCHEDULE_DELAY="600000")
    hub.whole_trace("task_123")
    (trace,) = hub.traces(service="agenthub-publisher", operation="publish_event")
    trace.assert_tree()
    expected = {
        "publish_event": {"event.type": "greeting", "event.id": "task_123", "responder.agent": "agent_demo_subscriber"},
        "route_task": {"source.agent": "agent_demo_publisher", "target.agent": "agent_demo_subscriber"},
        "consume_event": {"messaging.operation": "receive"},
        "process_task": {"task.type": "greeting", "task.parameter.name": "Claude", "processing.status": "completed"},
        "publish_result": {"result.status": "success"},
        "receive_result": {"result.status": "success"},
    }
    for name, attributes in expected.items():
        span = trace.the(name)
        assert attributes.items() <= tags(span).items(), name
        assert {types(span)[key] for key in attributes} == {"string"}, name
        assert tags(span)["otel.status_code"] == "OK", name
    kinds = {name: tags(trace.the(name)).get("span.kind") for name in ("publish_event", "consume_event", "publish_result")}
    assert kinds == {"publish_event": "producer", "consume_event": "consumer", "publish_result": "producer"}

    span = {name: trace.the(name) for name in expected}
    starts = [span[name]["startTime"] for name in expected]
    assert starts == sorted(starts), "each begins after the one before"
    assert end(span["route_task"]) <= end(span["publish_event"]), "publishing returns when the event is kept"
    assert end(span["consume_event"]) <= span["process_task"]["startTime"]
    assert end(span["process_task"]) <= span["publish_result"]["startTime"]

    calls = [span for span in trace.spans if span["operationName"] == "agenthub.AgentHub/PublishMessage"]
    rows = [(trace.service(call), tags(call)["span.kind"], trace.near(call, ALL_NAMES)) for call in calls]
    assert sorted(rows) == sorted(
        row for service, name in (("agenthub-publisher", "publish_event"), ("agenthub-subscriber", "publish_result"))
        for row in ((service, "client", name), ("agenthub-broker", "server", name))
    )

    (summary,) = hub.clew.get("/api/v1/traces", q="service:agenthub-publisher")["traces"]
    assert len(summary["services"]) == 3 and summary["spans"] >= 5 and summary["errors"] == 0
    assert summary["status"] == "ok" and summary["rootName"] == "publish_event"
    assert hub.clew.get("/api/v1/findings")["findings"] == []
    page = requests.get(f"{hub.clew.api}/trace/{trace.id}", timeout=20)
    assert page.status_code == 200 and "<html" in page.text.lower()


def test_ah02_the_context_lives_in_the_event(hub):
    broker = hub.start("broker")
    hub.wait_ready("broker")
    publisher = hub.start("publisher", "--task", "task_7", "--baggage", "user.tier=premium")
    event = wait_until(lambda: hub.queued().get("task_7"), 20, "the event is kept")
    headers = event["metadata"]["trace_headers"]
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", headers["traceparent"])
    assert headers["baggage"] == "user.tier=premium"
    publisher.terminate(), broker.terminate()
    assert broker.wait(20) == 0 and publisher.wait(20) == 0

    # What another system may have sent: its own state, other baggage, and not sampled.
    given = {"traceparent": "00-" + "ab" * 16 + "-" + "cd" * 8 + "-00", "tracestate": "vendor=state", "baggage": "user.id=u-1"}
    event["metadata"]["trace_headers"] = given
    hub.requeue(event)
    hub.start_both()
    result = wait_until(lambda: hub.queued().get("task_7.result"), 20, "the result is kept")
    headers = result["metadata"]["trace_headers"]
    version, trace_id, span_id, flags = headers["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", "ab" * 16, "00") and len(span_id) == 16
    assert headers["tracestate"] == given["tracestate"] and headers["baggage"] == given["baggage"]
    hub.stop()
    assert hub.clew.trace("ab" * 16) is None, "nobody records what is not sampled"
    assert hub.traces(service="agenthub-subscriber") == []


def test_ah02_an_event_without_context_begins_a_trace_that_says_so(hub):
    broker = hub.start("broker")
    hub.wait_ready("broker")
    publisher = hub.start("publisher", "--task", "task_8")
    event = wait_until(lambda: hub.queued().get("task_8"), 20, "the event is kept")
    publisher.terminate(), broker.terminate()
    assert broker.wait(20) == 0 and publisher.wait(20) == 0
    del event["metadata"]["trace_headers"]
    hub.requeue(event)
    hub.start_both()
    traces = wait_until(
        lambda: len(found := hub.traces(tags="event.id:task_8")) == 2 and "process_task" in found[0].names + found[1].names and found,
        20, "both halves are there",
    )
    traces.sort(key=lambda trace: trace.start())
    assert set(traces[0].steps) == {"publish_event", "route_task"}
    root = traces[1].spans[0]
    assert root["operationName"] == "consume_event" and traces[1].parent(root) == ""
    assert tags(root)["messaging.context.missing"] is True
    assert "messaging.context.missing" not in tags(traces[0].the("route_task"))
    (flagged,) = hub.clew.get("/api/v1/traces", q="messaging.context.missing:true")["traces"]
    assert flagged["traceId"] == traces[1].id
    (finding,) = hub.clew.get("/api/v1/findings")["findings"]
    assert (finding["kind"], finding["service"], finding["operation"]) == ("brokenChain", "agenthub-subscriber", "consume_event")
    assert [each["traceId"] for each in finding["examples"]] == [traces[1].id]
    assert "the event has no trace context" in hub.log_text("subscriber")


def test_ah02_a_broker_that_restarts_keeps_the_trace_whole(hub):
    broker = hub.start("broker")
    hub.wait_ready("broker")
    publisher = hub.start("publisher", "--task", "task_9")
    hub.whole_trace("task_9", {"publish_event", "route_task"})
    broker.kill(), broker.wait()
    assert "task_9" in hub.queued()
    hub.start_both()
    assert publisher.wait(30) == 0, hub.log_text("publisher")
    trace = hub.whole_trace("task_9")
    trace.assert_tree()
    assert len(trace.spans) == len(set(trace.by_id)) and hub.queued() == {}


@pytest.fixture
def nats(tmp_path):
    """A real NATS server with JetStream: its port and that of its monitoring."""
    program = os.environ.get("NATS_SERVER") or shutil.which("nats-server")
    if not program:
        pytest.skip("no nats-server on the path and none named by NATS_SERVER: `cargo xtask test` builds one where Go is")
    port, monitoring = free_ports(2)
    command = [program, "-js", "-sd", str(tmp_path / "nats"), "-a", "127.0.0.1", "-p", str(port), "-m", str(monitoring)]
    with open(tmp_path / "nats.log", "ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_until(lambda: "Server is ready" in (tmp_path / "nats.log").read_text(), 20, "nats-server is ready")
        yield port, monitoring
    finally:
        process.terminate()
        process.wait(20)


def nats_request(port, subject, body):
    """One request of NATS' protocol, and its answer."""
    body = json.dumps(body).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, connection.makefile("rwb") as stream:
        stream.write(b'CONNECT {"verbose":false}\r\nSUB answer 1\r\n')
        stream.write(f"PUB {subject} answer {len(body)}\r\n".encode() + body + b"\r\n")
        stream.flush()
        for line in stream:
            if line.startswith(b"MSG"):
                return json.loads(stream.read(int(line.split()[-1])))
    raise AssertionError("no answer")


def test_ah02_jetstream_keeps_the_event_and_its_context(hub, nats):
    port, monitoring = nats
    settings = ["--nats", f"nats://127.0.0.1:{port}"]
    broker = hub.start("broker", *settings)
    hub.wait_ready("broker")
    publisher = hub.start("publisher", "--task", "task_20")
    trace = hub.whole_trace("task_20", {"publish_event", "route_task"})
    broker.kill(), broker.wait()
    kept = nats_request(port, "$JS.API.STREAM.MSG.GET.AGENTHUB", {"seq": 1})["message"]
    event, headers = json.loads(base64.b64decode(kept["data"])), base64.b64decode(kept["hdrs"]).decode()
    assert kept["subject"] == "agenthub.events.agent_demo_subscriber" and event["event_id"] == "task_20"
    traceparent = event["metadata"]["trace_headers"]["traceparent"]
    assert traceparent == f"00-{trace.id}-{trace.the('route_task')['spanID']}-01"
    assert f"traceparent: {traceparent}" in headers
    hub.start("broker", *settings)
    hub.start("subscriber")
    assert publisher.wait(30) == 0, hub.log_text("publisher")
    hub.whole_trace("task_20").assert_tree()

    def kept_messages():
        streams = requests.get(f"http://127.0.0.1:{monitoring}/jsz?streams=1", timeout=5).json()["account_details"][0]["stream_detail"]
        return [(each["name"], each["state"]["messages"]) for each in streams]
    wait_until(lambda: kept_messages() == [("AGENTHUB", 0)], 20, "all is acknowledged")
    assert not (hub.directory / "broker" / "queue.jsonl").exists()


def test_ah03_the_four_questions(hub):
    hub.start_both()
    hub.publish("--task", "task_100", "--count", "100")
    wait_until(lambda: sum(t.has(ALL_NAMES) for t in hub.traces(service="agenthub-publisher")) == 100, 20, "all are there")
    trace = hub.whole_trace("task_123")
    for key in ("task.id", "a2a.task.id"):
        assert [each.id for each in hub.traces(tags=f"{key}:task_123")] == [trace.id]
    assert trace.id in [each["traceID"] for each in hub.clew.get("/api/traces", limit=1500)["data"]], "without any question, too"
    # Who did it, how long it took, where it failed, and all that happened.
    assert trace.service(trace.the("process_task")) == "agenthub-subscriber"
    (summary,) = hub.clew.get("/api/v1/traces", q="event.id:task_123")["traces"]
    assert abs(int(summary["duration"]) / 1000 - (trace.end() - trace.start())) <= 2, "but for rounding"
    assert summary["errors"] == 0
    trace.assert_tree()
    traces = sorted(hub.traces(service="agenthub-publisher"), key=Trace.start)
    assert len({trace.id for trace in traces}) == 100
    assert sum(after.start() < before.end() for before, after in zip(traces, traces[1:])) > 50, "they were interleaved"
    edges = {(each["parent"], each["child"]) for each in hub.clew.get("/api/dependencies", endTs=int(time.time() * 1000), lookback=3_600_000)["data"]}
    assert {("agenthub-publisher", "agenthub-broker"), ("agenthub-broker", "agenthub-subscriber")} <= edges


def test_ah04_an_error_is_seen_at_every_step(hub):
    hub.start_both()
    hub.publish("--task", "task_1", "--type", "unknown_task")
    trace = hub.whole_trace("task_1", {*NAMES, "receive_result"})
    message = "Unknown task type: unknown_task"
    for name in ("validate_input", "process_task", "receive_result"):
        span = trace.the(name)
        assert {"error.type": "unknown_task_type", "error.message": message, "otel.status_code": "ERROR"}.items() <= tags(span).items()
        exceptions = [attributes for event, attributes in events(span) if event == "exception"]
        assert [each["exception.message"] for each in exceptions] == [message], name
    assert tags(trace.the("process_task"))["processing.status"] == "failed"
    assert tags(trace.the("publish_result"))["result.status"] == "failed"
    assert [each.id for each in hub.traces(service="agenthub-publisher", tags='{"error":"true"}')] == [trace.id]
    first = hub.clew.get(f"/api/v1/traces/{trace.id}/run")["firstFailure"]
    assert (first["name"], first["errorType"]) == ("validate_input", "unknown_task_type")


def test_ah04_a_deadline_that_passes_is_a_timeout(hub):
    hub.start_both()
    hub.publish("--task", "task_2", "--type", "slow_task", "--parameters", '{"milliseconds":60000}', "--deadline", "300")
    trace = hub.whole_trace("task_2", {*NAMES, "receive_result"})
    span = trace.the("process_task")
    said = {"error.type": "timeout", "processing.status": "timeout", "otel.status_code": "ERROR"}
    assert said.items() <= tags(span).items()
    assert span["duration"] < 5_000_000, "it did not wait for the task's end"
    assert 300_000 <= end(span) - trace.start(), "and had all the time there was"
    assert tags(trace.the("publish_result"))["result.status"] == "timeout"
    assert tags(trace.the("receive_result"))["error.type"] == "timeout"
    assert "timeout" in {each["errorType"] for each in [hub.clew.get(f"/api/v1/traces/{trace.id}/run")["firstFailure"]]}


def test_ah04_a_subscriber_that_crashes_leaves_the_trace_at_the_broker_and_another_ends_it(hub):
    hub.start("broker")
    # What it did is still within it when it is killed.
    first = hub.start("subscriber", OTEL_BSP_SCHEDULE_DELAY="60000")
    hub.wait_ready("subscriber")
    publisher = hub.start("publisher", "--task", "task_3", "--type", "slow_task", "--parameters", '{"milliseconds":1500}')
    wait_until(lambda: "event received" in hub.log_text("subscriber"), 20, "the task is being worked on")
    first.send_signal(signal.SIGKILL)
    first.wait()
    trace = hub.whole_trace("task_3", {"publish_event", "route_task"})
    assert set(trace.steps) == {"publish_event", "route_task"}
    assert trace.spans[-1]["operationName"] == "route_task", "the last that was seen of it"
    assert "task_3" in hub.queued() and publisher.poll() is None

    hub.start("subscriber")
    assert publisher.wait(30) == 0, hub.log_text("publisher")
    trace = hub.whole_trace("task_3")
    trace.assert_tree()
    assert tags(trace.the("consume_event"))["messaging.redeliveries"] == 1
    assert trace.the("process_task")["duration"] >= 1_500_000


def test_a_task_that_ends_every_subscriber_is_given_up(hub):
    hub.start("broker")
    publisher = hub.start("publisher", "--task", "task_30", "--type", "slow_task", "--parameters", '{"milliseconds":60000}', "--deadline", "60000")
    for attempt in range(1, 5):
        subscriber = hub.start("subscriber")
        wait_until(lambda: hub.log_text("subscriber").count("event received") == attempt, 20, f"attempt {attempt}")
        subscriber.kill(), subscriber.wait()
    hub.start("subscriber")
    assert publisher.wait(30) == 0, hub.log_text("publisher")
    trace = hub.whole_trace("task_30", {"route_task", "give_up", "route_result", "receive_result"})
    assert trace.near(trace.the("give_up"), ALL_NAMES) == "route_task"
    assert trace.near(trace.the("receive_result"), {"give_up"}) == "give_up"
    for name in ("give_up", "receive_result"):
        assert tags(trace.the(name))["error.type"] == "too_many_redeliveries"
    wait_until(lambda: hub.queued() == {}, 20, "nothing is kept any more")
    assert hub.log_text("subscriber").count("event received") == 4


def test_ah05_work_outlives_the_task_that_began_it(hub):
    hub.start_both()
    hub.publish("--task", "task_4", "--type", "async_report", "--parameters", '{"milliseconds":2000}')
    trace = hub.whole_trace("task_4", {"process_task"})
    assert "async_operation" not in trace.names, "the task is there while its report is still written"
    trace = hub.whole_trace("task_4", {*ALL_NAMES, "async_operation"})
    task, report = trace.the("process_task"), trace.the("async_operation")
    assert trace.near(report, NAMES) == "process_task" and tags(report)["otel.status_code"] == "OK"
    assert task["duration"] < 1_000_000 and report["duration"] >= 2_000_000
    assert end(report) - end(task) > 1_000_000
    assert 2_000_000 <= trace.end() - trace.start() < 4_000_000
    assert not report["warnings"] and not task["warnings"]
    assert hub.clew.get(f"/api/v1/traces/{trace.id}/run")["findings"] == []


def test_ah06_logs_know_their_trace(hub):
    hub.start_both()
    hub.publish("--task", "task_5")
    trace = hub.whole_trace("task_5")
    hub.stop()
    within = {}
    for role in ("broker", "subscriber", "publisher"):
        lines = hub.log_lines(role)
        for line in lines:
            assert {"time", "level", "msg", "service"} <= line.keys()
            assert datetime.fromisoformat(line["time"]).tzinfo is not None
            assert line["service"] == f"agenthub-{role}" and line["level"] in {"INFO", "WARN", "ERROR"}
            assert ("trace_id" in line) == ("span_id" in line)
        within[role] = [line for line in lines if line.get("trace_id") == trace.id]
        assert within[role], f"{role} says something of the task"
        for line in within[role]:
            span = trace.by_id[line["span_id"]]
            assert trace.service(span) == line["service"]
        assert any("trace_id" not in line for line in lines), "and outside of it nothing of any"
    records = hub.clew.get("/api/logs", trace_id=trace.id)["logs"]
    printed = Counter((line["msg"], line["span_id"]) for lines in within.values() for line in lines)
    assert Counter((each["body"]["value"], each["spanId"]) for each in records) == printed


def samples(text):
    """The samples of Prometheus' text: {name: [(labels, value)]}."""
    found = {}
    for line in text.splitlines():
        if match := re.fullmatch(r'([a-z_]+)(?:\{(.*)\})? (\S+)', line):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
            found.setdefault(match[1], []).append((labels, float(match[3])))
    return found


def points_of(hub, metric, service):
    """What was sent of a metric by a service."""
    answer = requests.get(f"{hub.clew.api}/api/v1/metrics/{metric}", timeout=20)
    series = answer.json()["series"] if answer.status_code == 200 else []
    return [point for each in series if each["service"] == service for point in each["points"]]


def test_ah07_metrics(hub):
    hub.start_both()
    hub.publish("--demo", "--task", "task_1")
    broker = samples(hub.page("broker", "/metrics")[1])
    subscriber = samples(hub.page("subscriber", "/metrics")[1])
    of_greeting = {"event_type": "greeting", "source": "agent_demo_publisher"}
    assert ({**of_greeting, "success": "true"}, 1.0) in subscriber["events_processed_total"]
    unknown = {"event_type": "unknown_task", "source": "agent_demo_publisher"}
    assert ({**unknown, "success": "false"}, 1.0) in subscriber["events_processed_total"]
    assert ({**unknown, "error": "unknown_task_type"}, 1.0) in subscriber["event_errors_total"]
    assert ({**of_greeting, "le": "+Inf"}, 1.0) in subscriber["event_processing_duration_seconds_bucket"]
    assert ({"event_type": "greeting", "destination": "agent_demo_subscriber"}, 1.0) in broker["events_published_total"]
    assert ({"event_type": "task_result", "destination": "agent_demo_publisher"}, 4.0) in broker["events_published_total"]
    assert all(size == 0 for _, size in broker["agenthub_queue_size"])
    # A gauge is what is, however often it is looked at, and however often it was sent in between.
    memory = lambda: samples(hub.page("broker", "/metrics")[1])["process_resident_memory_bytes"][0][1]
    sent_so_far = lambda: len(points_of(hub, "process_resident_memory_bytes", "agenthub-broker"))
    before, scrapes, sent_before = memory(), [], sent_so_far()
    wait_until(lambda: scrapes.append(memory()) or sent_so_far() >= sent_before + 20, 60, "it is sent twenty times")
    assert all(0 < after < 2 * before for after in scrapes)
    assert all(0 < point["value"] < 2 * before for point in points_of(hub, "process_resident_memory_bytes", "agenthub-broker"))
    spans = lambda: {labels["state"]: value for labels, value in samples(hub.page("broker", "/metrics")[1])["trace_spans_total"]}
    before = spans()
    assert before.keys() == {"created", "ended", "exported", "dropped"} and before["dropped"] == 0
    hub.publish("--task", "task_50")
    assert spans()["created"] > before["created"] and spans()["ended"] > before["ended"]
    wait_until(lambda: spans()["exported"] == spans()["ended"] == spans()["created"], 20, "all are exported")
    # The same over OTLP.
    def sent():
        series = hub.clew.get("/api/v1/metrics/events_published_total")["series"]
        return {each["service"]: True for each in series if each["points"][-1]["value"] >= 1}
    services = {"agenthub-broker", "agenthub-subscriber", "agenthub-publisher"}
    wait_until(lambda: sent().keys() >= services, 20, "metrics are stored")
    published = hub.clew.promql("sum by (service_name) (events_published_total) >= 1")
    assert {series["metric"]["service_name"] for series in published} >= services
    processed = 'histogram_quantile(0.95, sum by (le) (rate(event_processing_duration_seconds_bucket[5m])))'
    assert float(hub.clew.promql(processed)[0]["value"][1]) > 0


def test_ah07_health(hub):
    hub.start("subscriber")
    wait_until(lambda: hub.page("subscriber", "/health")[0] == 200, 20, "it lives while it looks for the broker")
    assert hub.page("subscriber", "/ready")[0] == 503, "and is not ready"
    broker = hub.start("broker")
    hub.start("publisher", "--every", "100")
    for role in ("broker", "publisher", "subscriber"):
        hub.wait_ready(role)
        status, text = hub.page(role, "/health")
        body = json.loads(text)
        assert status == 200 and body["status"] == "healthy" and body["version"] and body["uptime"] > 0
        assert body["service"] == f"agenthub-{role}" and body["checks"][0]["status"] == "healthy"
    broker.kill(), broker.wait()
    for role in ("publisher", "subscriber"):
        wait_until(lambda: hub.page(role, "/health")[0] == 503, 20, f"{role} misses the broker")
        assert json.loads(hub.page(role, "/health")[1])["checks"] == [{"name": "broker", "status": "unhealthy"}]
    hub.start("broker")
    for role in ("publisher", "subscriber"):
        wait_until(lambda: hub.page(role, "/health")[0] == 200, 20, f"{role} has found the broker again")
    lost = samples(hub.page("subscriber", "/metrics")[1])["message_broker_connection_errors_total"]
    assert lost[0][1] >= 1


def test_ah08_the_publisher_decides_what_is_sampled_and_all_keep_to_it(hub):
    count, ratio = 2000, 0.1
    hub.start_both()
    hub.publish(
        "--count", str(count), "--concurrency", "256",
        OTEL_TRACES_SAMPLER="parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG=str(ratio),
    )
    hub.stop()
    traces = hub.traces(service="agenthub-subscriber")
    # Five standard deviations: of two million runs one is outside.
    assert abs(len(traces) - count * ratio) <= 5 * (count * ratio * (1 - ratio)) ** 0.5, len(traces)
    for trace in traces:
        trace.assert_tree()
    first = {"publisher": "publish_event", "broker": "route_task", "subscriber": "consume_event"}
    by_service = [{trace.id for trace in hub.traces(service=f"agenthub-{role}", operation=name)} for role, name in first.items()]
    assert by_service[0] == by_service[1] == by_service[2], "no trace is recorded in part"


def allowed(rate, times):
    """How many of the traces that begin at these times may be kept, at so many a second."""
    kept, left, before = 0, 1.0, None
    for now in sorted(times):
        left = min(rate, left + rate * (now - (before or now)).total_seconds())
        before = now
        if left >= 1:
            kept, left = kept + 1, left - 1
    return kept


def test_ah08_so_many_traces_a_second_and_no_more(hub):
    rate = 100
    hub.start_both()
    # A thousand tasks at a time, one round after the other.
    publisher = hub.start(
        "publisher", "--count", "1000", "--every", "0", "--concurrency", "256",
        OTEL_TRACES_SAMPLER="parentbased_rate_limited", OTEL_TRACES_SAMPLER_ARG=str(rate),
    )

    wait_until(lambda: "task published" in hub.log_text("publisher"), 20, "it has begun")
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began >= 10, 20, "ten seconds are over")
    publisher.terminate()
    publisher.wait(30)
    times = [datetime.fromisoformat(line["time"]) for line in hub.log_lines("publisher") if line["msg"] == "task published"]
    seconds = (max(times) - min(times)).total_seconds()
    assert len(times) / seconds > 2 * rate, "there was more than it may keep"

    def kept():
        return sorted(hub.traces(service="agenthub-publisher"), key=Trace.start)

    def begun_before_the_last_seconds():
        traces = kept()
        return [trace for trace in traces if trace.start() < traces[-1].start() - 3_000_000]

    # The last round was broken off; all others are done to their end.
    wait_until(lambda: all({*NAMES} <= {*trace.names} for trace in begun_before_the_last_seconds()), 60, "they are whole")
    hub.stop()
    for trace in begun_before_the_last_seconds():
        trace.assert_tree()
    starts = [trace.start() for trace in kept()]
    # A machine that is busy with other things pauses between tasks: what nobody asks for within a second is not given.
    assert 0.9 * allowed(rate, times) <= len(starts), (len(starts), allowed(rate, times), seconds)
    # The allowance goes on while the last tasks are under way, and one trace is given in advance.
    assert len(starts) <= 1.05 * rate * seconds + rate / 10 + 1, (len(starts), seconds)
    assert all(later - earlier >= 1_000_000 for earlier, later in zip(starts, starts[2 * rate:]))


def test_ah09_baggage_decides_and_is_searchable(hub):
    hub.start_both()
    carried = {
        "user.tier": "premium", "feature.flag": "new_algorithm",
        "user.id": "u-42", "tenant.id": "t-7", "workflow.type": "onboarding",
    }
    baggage = [part for key, value in carried.items() for part in ("--baggage", f"{key}={value}")]
    hub.publish("--task", "task_6", *baggage)
    hub.publish("--task", "task_60")
    trace, plain = hub.whole_trace("task_6"), hub.whole_trace("task_60")
    assert tags(trace.the("process_task"))["algorithm"] == "premium"
    assert tags(plain.the("process_task"))["algorithm"] == "standard"
    results = {json.loads(line)["event_id"]: json.loads(line)["result"] for line in (hub.directory / "subscriber" / "results.jsonl").read_text().splitlines()}
    assert results["task_6"]["greeting"].startswith("Welcome back, Claude!")
    assert results["task_60"]["greeting"] == "Hello, Claude!"
    for span in trace.spans:
        assert carried.items() <= tags(span).items(), span["operationName"]
    for key, value in carried.items():
        assert [each.id for each in hub.traces(tags=f"{key}:{value}")] == [trace.id]
    for name in ("publish_event", "process_task"):
        assert tags(trace.the(name))["batch.size"] == 1 and types(trace.the(name))["batch.size"] == "int64"
    task = trace.the("process_task")["spanID"]
    steps = [trace.the(name) for name in ("validate_input", "compute_result", "persist_result")]
    assert [trace.parent(step) for step in steps] == [task] * 3, "siblings, no chain"
    assert all(end(before) <= after["startTime"] for before, after in zip(steps, steps[1:]))
    assert [name for name, _ in events(steps[0])] == ["validation.started", "validation.completed"]
    assert events(steps[0])[1][1]["validation.rules.evaluated"] == 1


def test_ah10_limits_are_kept_and_what_is_dropped_is_counted(hub):
    hub.start_both()
    sources = [f"00-{index:032x}-{index:016x}-01" for index in range(1, 201)]
    parameters = {"sources": sources, **{f"p{index}": index for index in range(199)}}
    hub.publish("--task", "task_10", "--type", "aggregate", "--parameters", json.dumps(parameters))
    trace = hub.whole_trace("task_10", {*NAMES, "compute_result"})
    span = lambda name: hub.clew.get(f"/api/v1/traces/{trace.id}/spans/{trace.the(name)['spanID']}")
    task, step = span("process_task"), span("compute_result")
    assert len(task["links"]) == 128 and task["dropped"]["links"] == 72
    assert len(step["events"]) == 128 and step["dropped"]["events"] == 72
    # The parameters, and what every task's span says.
    said = {key for key in tags(hub_plain(hub, "task_11"))} - {"task.parameter.name"}
    said = {key for key in said if not key.startswith(("otel.", "span.", "internal.", "error"))}
    assert len(task["attributes"]) == 128 and task["dropped"]["attributes"] == 200 + len(said) - 128


def a_lot():
    """An export request of 200 spans with 2 kB each that nothing makes smaller."""
    def span():
        text = {"key": "text", "value": {"stringValue": os.urandom(1000).hex()}}
        ids = {"traceId": os.urandom(16).hex(), "spanId": os.urandom(8).hex()}
        times = {"startTimeUnixNano": str(time.time_ns()), "endTimeUnixNano": str(time.time_ns())}
        return {**ids, **times, "name": "overload", "kind": 1, "attributes": [text]}

    service = {"key": "service.name", "value": {"stringValue": "overload"}}
    spans = [span() for _ in range(200)]
    return json.dumps({"resourceSpans": [{"resource": {"attributes": [service]}, "scopeSpans": [{"spans": spans}]}]})


def test_ah10_too_much_is_refused_and_may_be_sent_again(binary, own_clew, tmp_path):
    clew = own_clew(extra=["--storage-hot-limit", "4MiB", "--storage-seal-bytes", "1MiB"]).start()
    body = a_lot()
    headers = {"content-type": "application/json"}

    def send(_):
        answer = requests.post(f"{clew.otlp_http}/v1/traces", data=a_lot(), headers=headers, timeout=60)
        assert answer.status_code == 200 or (answer.status_code == 429 and int(answer.headers["retry-after"]) > 0), answer.text
        return answer.status_code

    answers = Counter()
    with ThreadPoolExecutor(8) as pool:
        def overload():
            answers.update(pool.map(send, range(64)))
            return answers[429] >= 10
        wait_until(overload, 60, "there is too much")
        hub = AgentHub(binary, clew, tmp_path)
        try:
            hub.start_both()
            flood = [pool.submit(send, number) for number in range(200)]
            hub.publish("--task", "task_70")
            answers.update(each.result() for each in flood)
            # What was refused is sent again: nothing of the task is lost.
            hub.whole_trace("task_70").assert_tree()
        finally:
            hub.stop()
    wait_until(lambda: requests.post(f"{clew.otlp_http}/v1/traces", data=body, headers=headers, timeout=60).ok, 60, "there is room again")
    assert clew.process.poll() is None
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{clew.process.pid}/status").read_text())
    assert int(peak[1]) < 512 * 1024
    (stored,) = clew.get("/api/v1/operations", q="service:overload")["operations"]
    assert int(stored["spans"]) == 200 * (answers[200] + 1), "what was acknowledged is there, and nothing else"


def readme_commands():
    text = (Path(__file__).resolve().parent.parent / "examples" / "agenthub" / "README.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.strip().splitlines()]


def test_commands_of_the_readme(hub):
    """As written, but on free ports; those that stay are started in the background."""
    ports = {"16686": hub.clew.query, "8080": hub.pages["broker"], "8082": hub.pages["subscriber"]}
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": hub.clew.otlp_http}
    answers = []
    for line in readme_commands():
        program, *arguments = shlex.split(line)
        if program == "target/debug/agenthub" and arguments[0] == "publisher":
            hub.publish(*arguments[1:])
            hub.whole_trace("task_123", ALL_NAMES)
        elif program == "target/debug/agenthub":
            hub.start(*arguments)
            hub.wait_ready(arguments[0])
        else:
            for port, own in ports.items():
                line = line.replace(f"127.0.0.1:{port}", f"127.0.0.1:{own}")
            line = line.replace("cargo run -q -p agenthub --", shlex.quote(hub.binary))
            # The demonstration's tasks are others than those that are sent after it.
            line = f"{line} --task demo_1" if line.endswith(" demo") else line
            done = subprocess.run(line, shell=True, env=environment, capture_output=True, text=True, timeout=60, check=True)
            answers.append(done.stdout)
    demonstrated, found, metrics, health = answers
    assert demonstrated.count('"result received"') == 3 and "Unknown task type" in demonstrated
    assert "process_task" in Trace(json.loads(found)["data"][0]).names
    assert metrics and json.loads(health)["status"] == "healthy"
    hub.whole_trace("demo_1")


def hub_plain(hub, task):
    """The span of a task without more than it needs."""
    hub.publish("--task", task)
    return hub.whole_trace(task).the("process_task")
