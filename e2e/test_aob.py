"""AOB, the workflow system in `examples/aob`: its processes, run against Clew, leave the traces that its guide promises."""

import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from aob import BELONGINGS, CALLER, FOLDER, KEY, Aob, Tree, delivered, sent
from clew import free_ports, wait_until
from kafka_broker import Kafka


@pytest.fixture(scope="session")
def binary():
    """`AOB_BIN`, or what cargo builds."""
    if "AOB_BIN" in os.environ:
        return os.environ["AOB_BIN"]
    command = ["cargo", "build", "--quiet", "--package", "aob", "--message-format", "json"]
    built = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    found = [json.loads(line).get("executable") for line in built.splitlines()]
    return [path for path in found if path][-1]


@pytest.fixture
def make(binary, clew, tmp_path):
    """Systems that are stopped at the end of the test; all their processes end well."""
    systems = []

    def made(name="aob", **options):
        systems.append(Aob(binary, clew, tmp_path / name, **options))
        return systems[-1]

    yield made
    for system in systems:
        assert set(system.stop().values()) <= {0}


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    """A broker of Apache Kafka's."""
    if reason := Kafka.reason_to_skip():
        pytest.skip(reason)
    broker = Kafka(tmp_path_factory.mktemp("kafka") / "broker").start()
    yield broker
    broker.stop()


@pytest.fixture
def own_kafka(tmp_path):
    """A broker for one test, which starts it, and may take it away."""
    if reason := Kafka.reason_to_skip():
        pytest.skip(reason)
    broker = Kafka(tmp_path / "broker")
    yield broker
    if broker.process:
        broker.kill()


@pytest.fixture
def bus(request):
    """Where the events of one test go: nowhere else than into a file, or to a broker."""
    return request.getfixturevalue("own_kafka").start().url if request.param == "kafka" else None


BUSES = ["sqlite", "kafka"]


@pytest.fixture(scope="module", params=BUSES)
def aob(binary, clew, tmp_path_factory, request):
    bus = request.getfixturevalue("kafka").url if request.param == "kafka" else None
    system = Aob(binary, clew, tmp_path_factory.mktemp("aob"), bus=bus).start()
    yield system
    assert set(system.stop().values()) == {0}


@pytest.fixture(scope="module")
def demo(aob):
    """The demo as far as the person who has to approve: its answer and its trace."""
    answer, body = aob.run("demo-workflow-123")
    assert answer.status_code == 200 and body["state"] == "waiting" and body["node"] == "n3", body
    return body, aob.trace(body["trace_id"], sent(3))


def test_environment(clew, demo):
    """AOB-02: what the guide's variables say is what arrives."""
    tree = demo[1]
    process = {tag["key"]: tag["value"] for tag in tree.root().process["tags"]}
    assert tree.root().service == "aob-api" and process["service.version"] == "1.0.0"
    assert process["deployment.environment"] == "development"
    assert process["deployment.environment.name"] == "development"
    assert "aob-api" in clew.get("/api/services")["data"]
    assert clew.get("/api/traces", service="agentic-core")["data"] == []


def test_tree(demo):
    """AOB-03: who is below whom."""
    tree = demo[1]
    root = tree.root()
    assert root.name == "POST /workflows/start" and root.tags["span.kind"] == "server"
    execution = tree.only(root, "workflow.execution")
    assert {each.tags["node.id"] for each in tree.below(execution, "node.execution")} == {"n1", "n2", "n3"}
    for node_id in ("n1", "n2", "n3"):
        evaluation = tree.only(tree.node(node_id), "policy.evaluation")
        check = tree.only(evaluation, "policy.check")
        asked = tree.only(check, "POST")
        assert tree.only(asked, "POST /v1/data/{*path}").service == "aob-opa"
    tool = tree.only(tree.node("n1"), "execute_tool text.uppercase")
    gateway = tree.only(tree.only(tool, "POST"), "POST /tools/call")
    assert gateway.service == "aob-tool-gateway" and gateway.tags["span.kind"] == "server"
    model = tree.only(tree.node("n2"), "chat gpt-4")
    assert tree.only(tree.only(model, "POST"), "POST /infer").service == "aob-model-gateway"
    approval = tree.only(tree.node("n3"), "human.approval")
    assert approval.tags["approval.status"] == "waiting"
    for node_id in ("n1", "n2", "n3"):
        node = tree.node(node_id)
        assert tree.only(node, "INSERT events") and tree.only(node, "INSERT outbox")
    for message in tree.below(root, "send aob.events"):
        assert message.tags["span.kind"] == "producer"
        process = tree.only(message, "process aob.events")
        assert process.service == "aob-worker" and process.tags["span.kind"] == "consumer"
        assert tree.only(process, "INSERT audit").tags["db.name"] == "audit"
    assert len(tree.below(root, "send aob.events")) == 3
    assert len(tree.named("workflow.execution")) == 1 and not tree.named("human.wait")


def test_timing(demo):
    """AOB-03: what is below is within, and steps follow each other."""
    tree = demo[1]
    by_id = {each.id: each for each in tree.spans}
    for span in tree.spans:
        parent = by_id.get(span.parent)
        # Microseconds: each of two numbers may be cut.
        assert parent is None or span.begin >= parent.begin - 1, f"{span.name} before {parent.name}"
        told = ("send aob.events", "process aob.events")
        if parent and span.name not in told:
            assert span.end <= parent.end + 2, f"{span.name} after {parent.name}"
    n1, n2, n3 = (tree.node(each) for each in ("n1", "n2", "n3"))
    assert n1.end <= n2.begin + 1 and n2.end <= n3.begin + 1
    for message in tree.named("send aob.events"):
        assert tree.only(message, "process aob.events").begin >= message.begin
    for node, work in ((n1, "execute_tool text.uppercase"), (n2, "chat gpt-4")):
        assert tree.only(node, "policy.evaluation").end <= tree.only(node, work).begin + 1
        assert tree.only(node, work).end <= tree.only(node, "INSERT events").begin + 1


def expect(span, **expected):
    """Attributes with their values and types; a type stands for any value of it."""
    names = {str: "string", int: "int64", float: "float64", bool: "bool"}
    for key, value in expected.items():
        key = key.replace("__", ".")
        assert key in span.tags, f"{span.name} has no {key}: {sorted(span.tags)}"
        kind = value if isinstance(value, type) else type(value)
        if kind is list:
            assert json.loads(span.tags[key]) == value if isinstance(span.tags[key], str) else span.tags[key] == value
            continue
        assert span.types[key] == names[kind], f"{key} is a {span.types[key]}"
        if value is not kind:
            found = int(span.tags[key]) if kind is int else span.tags[key]
            assert found == (pytest.approx(value) if kind is float else value), key


def test_attributes_of_every_span(demo):
    """AOB-04: every span says whose run it belongs to, in whichever process."""
    tree = demo[1]
    assert {each.service for each in tree.spans} == {"aob-api", "aob-opa", "aob-model-gateway", "aob-tool-gateway", "aob-worker"}
    for span in tree.spans:
        assert BELONGINGS <= set(span.tags), f"{span.service} {span.name}: {sorted(span.tags)}"
        expect(span, workflow__id="demo-workflow-123", workflow__name="demo", workflow__version="1.0.0")
        expect(span, tenant__id="acme-corp", user__id="user-123")


def test_attributes_of_requests_and_nodes(aob, demo):
    """AOB-04: S4-24, S4-27, S4-28, in old names and current ones."""
    tree = demo[1]
    url = f"http://{aob.addresses['api']}/workflows/start"
    expect(tree.root(), http__method="POST", http__url=url, http__status_code=200, http__user_agent=str)
    expect(tree.root(), http__request__method="POST", url__full=url, http__response__status_code=200, user_agent__original=str)
    assert tree.root().tags["http.user_agent"].startswith("python-requests/")
    node = tree.node("n1")
    expect(node, node__id="n1", node__name="uppercase", node__kind="task", node__expression="ctx.bag")
    expect(node, execution__attempt=1, execution__max_attempts=3, execution__retry_count=0, execution__success=True)
    kinds = {each: tree.node(each).tags["node.kind"] for each in ("n1", "n2", "n3")}
    assert kinds == {"n1": "task", "n2": "agent", "n3": "human"} and node.is_ok()


def test_attributes_of_policies(aob, demo):
    """AOB-04: S4-29."""
    tree = demo[1]
    for name in ("policy.evaluation", "policy.check"):
        (span,) = [each for each in tree.named(name) if each.tags.get("policy.edge") == "n2->n3"]
        expect(span, policy__decision="allow", policy__rules=["require_human_for_risk_high"], policy__evaluation_time_ms=int)
        assert int(span.tags["policy.evaluation_time_ms"]) <= span.seconds * 1000 + 1
    expect(span, policy__opa_url=f"http://{aob.addresses['opa']}")


def test_attributes_of_gateways(aob, demo):
    """AOB-04: S4-30, S4-31."""
    tree = demo[1]
    (tool,) = tree.named("execute_tool text.uppercase")
    endpoint = f"http://{aob.addresses['provider']}/tools/uppercase"
    expect(tool, tool__name="text.uppercase", tool__endpoint=endpoint, tool__method="POST", tool__status_code=200)
    expect(tool, tool__duration_ms=int, gen_ai__tool__name="text.uppercase", gen_ai__operation__name="execute_tool")
    (model,) = tree.named("chat gpt-4")
    expect(model, model__name="gpt-4", model__provider="openai", model__tier="premium", model__cost_usd=0.003)
    expect(model, model__tokens_input=150, model__tokens_output=75)
    expect(model, gen_ai__request__model="gpt-4", gen_ai__provider__name="openai", gen_ai__operation__name="chat")
    expect(model, gen_ai__usage__input_tokens=150, gen_ai__usage__output_tokens=75)


def test_attributes_of_storage_and_messages(aob, demo):
    """AOB-04: S4-32, S4-33."""
    tree = demo[1]
    insert = tree.only(tree.node("n1"), "INSERT events")
    expect(insert, db__system="sqlite", db__name="aob", db__operation="INSERT", db__table="events")
    expect(insert, db__rows_affected=1, db__duration_ms=int, span__kind="client")
    assert insert.tags["db.query.text"].startswith("INSERT INTO events (id, run,")
    expect(insert, db__system__name="sqlite", db__namespace="aob", db__operation__name="INSERT", db__collection__name="events")
    ids = set()
    for name in ("send aob.events", "process aob.events"):
        for message in tree.named(name):
            expect(message, messaging__system=aob.bus, messaging__destination="aob.events", messaging__destination_kind="topic")
            expect(message, messaging__message_id=str, messaging__payload_size_bytes=int)
            expect(message, messaging__destination__name="aob.events", messaging__message__body__size=int)
            assert message.tags["messaging.message.id"] == message.tags["messaging.message_id"]
            ids.add(message.tags["messaging.message_id"])
    assert len(ids) == 3


def test_attributes_of_kafka(aob, demo):
    """AOB-04: where in the topic a message is, the same for who sent it and who works on it."""
    tree, keys = demo[1], ["messaging.destination.partition.id", "messaging.kafka.offset", "messaging.kafka.message.key"]
    places = []
    for sending in tree.named("send aob.events"):
        processing = tree.only(sending, "process aob.events")
        expect(processing, messaging__consumer__group__name="audit")
        if aob.bus != "kafka":
            assert not {*keys} & {*sending.tags, *processing.tags}
            continue
        for span in (sending, processing):
            expect(span, messaging__destination__partition__id=str, messaging__kafka__offset=int)
            # Of one run, so that what happened in it is read in its order.
            expect(span, messaging__kafka__message__key="demo-workflow-123")
        assert [sending.tags[key] for key in keys] == [processing.tags[key] for key in keys]
        places.append((sending.begin, sending.tags[keys[0]], int(sending.tags[keys[1]])))
    places.sort()
    assert len({partition for _, partition, _ in places}) <= 1
    offsets = [offset for *_, offset in places]
    assert offsets == sorted(set(offsets))


def test_questions(aob, demo):
    """AOB-05: the guide's questions, which name no service, and the forms that Jaeger knows."""
    trace_id, workflow = demo[0]["trace_id"], {"workflow.id": "demo-workflow-123"}
    questions = [
        {"service": "aob-api"}, {"operation": "workflow.execution"}, {"tags": "workflow.id:demo-workflow-123"},
        {"tag": "workflow.id:demo-workflow-123"}, {"tags": json.dumps(workflow)},
    ]
    for question in questions:
        found = {each["traceID"]: each for each in aob.clew.get("/api/traces", limit=1500, **question)["data"]}
        assert trace_id in found, question
        read = found[trace_id]
        assert read["processes"] and all(each["operationName"] and each["startTime"] > 0 for each in read["spans"])
    answer = requests.get(f"{aob.clew.api}/api/traces", params={"tags": '{"workflow.id"'}, timeout=20)
    assert answer.status_code == 400 and "tags" in json.dumps(answer.json())


class Postgresql:
    """A PostgreSQL server of one's own, in a folder that goes with it; it refuses to run as root, so it runs as its own user."""

    def __init__(self):
        self.programs = Path(os.path.realpath(shutil.which("postgres"))).parent
        self.folder = Path(tempfile.mkdtemp(prefix="aob-postgresql-"))
        self.as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.as_user:
            shutil.chown(self.folder, "postgres")
        (self.port,) = free_ports(1)
        self.url = f"postgres://aob@127.0.0.1:{self.port}/postgres"
        self.process = None

    def start(self):
        data = str(self.folder / "data")
        command = [self.programs / "initdb", "--pgdata", data, "--username", "aob", "--auth", "trust", "--no-sync"]
        subprocess.run([*self.as_user, *command], check=True, stdout=subprocess.DEVNULL)
        listen = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.folder), "-F"]
        with open(self.folder.with_suffix(".log"), "wb") as log:
            command = [*self.as_user, self.programs / "postgres", "-D", data, *listen]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self.answers, 30, "PostgreSQL answers")
        return self

    def answers(self):
        assert self.process.poll() is None, self.folder.with_suffix(".log").read_text()
        ready = [self.programs / "pg_isready", "--quiet", "--host", "127.0.0.1", "--port", str(self.port), "--username", "aob"]
        return subprocess.run(ready).returncode == 0

    def stop(self):
        command = [*self.as_user, self.programs / "pg_ctl", "stop", "--pgdata", str(self.folder / "data"), "--mode", "fast"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        self.process.wait(30)
        shutil.rmtree(self.folder)
        self.folder.with_suffix(".log").unlink()


@pytest.fixture
def postgresql():
    if not shutil.which("postgres"):
        pytest.skip("PostgreSQL is not here")
    server = Postgresql()
    try:
        yield server.start()
    finally:
        server.stop()


def test_postgresql(make, postgresql):
    """AOB-04, S4-32: events, outbox, snapshots and decisions in PostgreSQL, from the start to a replay."""
    system = make(environment={"AOB_DATABASE_URL": postgresql.url}).start()
    try:
        body = system.run("in-postgresql")[1]
        assert body["state"] == "waiting", body
        answer = system.post("/workflows/resume", {"workflow_id": "in-postgresql", "approval": True})
        assert answer.json()["state"] == "completed", answer.text
        tree = system.trace(body["trace_id"], sent(6))
        insert = tree.only(tree.node("n1"), "INSERT events")
        expect(insert, db__system="postgresql", db__name="postgres", db__operation="INSERT", db__table="events", db__rows_affected=1)
        expect(insert, db__system__name="postgresql", db__duration_ms=int)
        events = system.get("/workflows/in-postgresql/events")["events"]
        assert [each["type"] for each in events] == [
            "task.completed", "agent.completed", "human.wait", "human.approved", "tool.completed", "workflow.completed",
        ]
        assert len(system.get("/workflows/in-postgresql/decisions")["decisions"]) == 4
        snapshots = system.get("/workflows/in-postgresql/snapshots")["snapshots"]
        answer = system.post(f"/workflows/in-postgresql/replay?snapshot_id={snapshots[0]['id']}")
        assert answer.json()["state"] == "completed", answer.text
        assert system.run("in-postgresql")[0].status_code == 409
        assert not (system.directory / "data" / "aob.sqlite").exists()
    finally:
        assert set(system.stop().values()) == {0}


def test_denial(aob):
    """AOB-10 a: a policy denies n3; event, decision and trace belong together."""
    answer, body = aob.run("denied", risk="high")
    assert answer.status_code == 200 and (body["state"], body["node"]) == ("denied", "n3")
    tree = aob.trace(body["trace_id"], sent(3))
    node = tree.node("n3")
    check = tree.only(tree.only(node, "policy.evaluation"), "policy.check")
    expect(check, policy__decision="deny", policy__edge="n2->n3", policy__rules=["require_human_for_risk_high"])
    assert node.tags["node.outcome"] == "denied" and "execution.success" not in node.tags
    assert not tree.below(node, "human.approval")
    (event,) = [each for each in aob.get("/workflows/denied/events")["events"] if each["type"] == "policy.denied"]
    (decision,) = [each for each in aob.get("/workflows/denied/decisions")["decisions"] if each["decision"] == "deny"]
    for each in (event, decision):
        assert each["correlation_id"] == body["correlation_id"] and each["trace_id"] == body["trace_id"]
    assert decision["edge"] == "n2->n3" and decision["violated"] == ["require_human_for_risk_high"]
    assert event["payload"]["violated"] == decision["violated"]
    told = wait_until(lambda: aob.clew.get("/api/logs", trace_id=body["trace_id"])["logs"], 20, "the denial is logged")
    assert [each["body"]["value"] for each in told] == ["a policy denies the node"] and told[0]["spanId"] == node.id


def test_policies_are_down(make):
    """AOB-10 b: nobody decides, so nothing is allowed."""
    system = make().start(["provider", "model-gateway", "tool-gateway", "worker", "api"])
    answer, body = system.run("no-opa")
    assert answer.status_code == 502 and body["state"] == "failed"
    tree = system.trace(body["trace_id"], sent(1))
    (check,) = tree.named("policy.check")
    expect(check, policy__decision=False, policy__error=str)
    assert system.addresses["opa"] in check.tags["policy.error"]
    for span in (check, tree.node("n1"), *tree.named("policy.evaluation"), *tree.named("workflow.execution"), tree.root()):
        assert span.is_error(), span.name
    assert not tree.named("execute_tool text.uppercase")


def test_retries(aob):
    """AOB-10 c: a tool that works at the third attempt."""
    answer, body = aob.run("flaky", workflow="flaky")
    assert answer.status_code == 200 and body["state"] == "completed"
    tree = aob.trace(body["trace_id"], sent(3))
    node = tree.node("n1")
    expect(node, execution__attempt=3, execution__max_attempts=3, execution__retry_count=2, execution__success=True)
    attempts = sorted(tree.below(node, "execute_tool echo.flaky"), key=lambda each: each.begin)
    assert [int(each.tags["execution.attempt"]) for each in attempts] == [1, 2, 3]
    assert [each.is_error() for each in attempts] == [True, True, False]
    pauses = [later.begin - earlier.end for earlier, later in zip(attempts, attempts[1:])]
    assert pauses[0] >= 20_000 and pauses[1] >= 40_000
    assert node.is_ok() and tree.named("workflow.execution")[0].is_ok() and not tree.root().is_error()
    assert [each["event"] for each in node.events] == ["node.retry"] * 2


def test_failure(aob):
    """AOB-10 c: a tool that never works fails the node, the run and the request; nothing follows."""
    answer, body = aob.run("broken", workflow="broken")
    assert answer.status_code == 502 and body["state"] == "failed"
    tree = aob.trace(body["trace_id"], sent(1))
    node = tree.node("n1")
    expect(node, execution__attempt=3, execution__retry_count=2, execution__success=False, error__type="refused")
    attempts = tree.below(node, "execute_tool echo.broken")
    assert len(attempts) == 3 and all(each.is_error() for each in attempts)
    assert node.is_error() and tree.named("workflow.execution")[0].is_error() and tree.root().is_error()
    assert [each.tags["node.id"] for each in tree.named("node.execution")] == ["n1"]
    assert [each["type"] for each in aob.get("/workflows/broken/events")["events"]] == ["node.failed"]


def test_approval(aob):
    """AOB-10 d: the wait is one span; what follows is in the same trace, linked to the request there and back."""
    body = aob.run("approved")[1]
    waited = time.monotonic()
    # The pause is what is measured here.
    time.sleep(5)
    answer = aob.post("/workflows/resume", {"workflow_id": "approved", "approval": True})
    waited = time.monotonic() - waited
    assert answer.status_code == 200 and answer.json()["state"] == "completed"
    assert answer.json()["trace_id"] == body["trace_id"]
    tree = aob.trace(body["trace_id"], sent(6))
    (wait,) = tree.named("human.wait")
    assert wait.parent == tree.node("n3").id and 5 <= wait.seconds <= waited + 0.5
    expect(wait, approval__id="approved/n3", approval__status="approved", workflow__id="approved")
    first, second = sorted(tree.named("workflow.execution"), key=lambda each: each.begin)
    assert second.parent == first.parent == tree.root().id or second.parent == first.id
    expect(second, workflow__resumed=True)
    assert tree.node("n4").parent == second.id and tree.node("n4").begin >= wait.end - 50_000
    (request,) = second.links
    requested = Tree(wait_until(lambda: aob.clew.trace(request)))
    assert requested.root().name == "POST /workflows/resume" and requested.root().links == {body["trace_id"]}
    tags = json.dumps({"workflow.id": "approved"})
    found = aob.clew.get("/api/traces", tags=tags, service="aob-api")["data"]
    assert {each["traceID"] for each in found} >= {body["trace_id"], request}
    again = aob.post("/workflows/resume", {"workflow_id": "approved", "approval": True})
    assert again.status_code == 409 and "only a waiting run" in again.json()["error"]


def test_rejection(aob):
    """AOB-10 d: a person may say no, too."""
    body = aob.run("rejected")[1]
    answer = aob.post("/workflows/resume", {"workflow_id": "rejected", "approval": False})
    assert answer.status_code == 200 and answer.json()["state"] == "denied"
    tree = aob.trace(body["trace_id"], sent(4))
    (wait,) = tree.named("human.wait")
    assert wait.tags["approval.status"] == "rejected"
    assert {each.tags["node.id"] for each in tree.named("node.execution")} == {"n1", "n2", "n3"}


def test_replay(aob):
    """AOB-10 e: a replay is a trace of its own that says so, linked to the original; nothing is told or ordered again."""
    original = aob.run("replayed", approval=True)[1]
    assert original["state"] == "completed"
    events = aob.get("/workflows/replayed/events")["events"]
    snapshots = aob.get("/workflows/replayed/snapshots")["snapshots"]
    assert [each["node"] for each in snapshots] == ["n1", "n2", "n4"]
    answer = aob.post(f"/workflows/replayed/replay?snapshot_id={snapshots[0]['id']}")
    body = answer.json()
    assert answer.status_code == 200 and body["state"] == "completed" and body["replay"] is True
    assert body["bag"] == original["bag"] and body["trace_id"] != original["trace_id"]
    tree = aob.trace(body["trace_id"], lambda tree: tree.named("workflow.execution"))
    (execution,) = tree.named("workflow.execution")
    expect(tree.root(), replay=True)
    expect(execution, replay=True, workflow__id="replayed", replay__snapshot_id=int(snapshots[0]["id"]))
    assert execution.links == {original["trace_id"]} == tree.root().links
    assert {each.tags["node.id"] for each in tree.named("node.execution")} == {"n2", "n3", "n4"}
    assert not tree.named("send aob.events") and not tree.named("INSERT events")
    assert aob.get("/workflows/replayed/events")["events"] == events
    assert aob.post("/workflows/replayed/replay?snapshot_id=999999").status_code == 404


def test_what_the_page_reads(aob, demo):
    """AOB-10 f: events, spans and decisions of a run."""
    run = "/workflows/demo-workflow-123"
    events = aob.get(f"{run}/events")["events"]
    assert [each["type"] for each in events] == ["task.completed", "agent.completed", "human.wait"]
    assert events[0]["causation_id"] is None and events[1]["causation_id"] == events[0]["id"]
    decisions = aob.get(f"{run}/decisions")["decisions"]
    assert [each["edge"] for each in decisions] == ["start->n1", "n1->n2", "n2->n3"]
    assert {each["decision"] for each in decisions} == {"allow"}
    assert {each["correlation_id"] for each in events + decisions} == {demo[0]["correlation_id"]}
    spans = aob.get(f"{run}/traces")["spans"]
    assert {"workflow.execution", "node.execution", "policy.check"} <= {each["operationName"] for each in spans}
    assert demo[0]["trace_id"] in {each["traceID"] for each in spans}


LIMITS = {
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "2048",
    "OTEL_ATTRIBUTE_COUNT_LIMIT": "128",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "128",
}


def labelled(labels):
    """A workflow whose node has these labels, and an edge with long names of policies."""
    nodes = [{"id": "n1", "name": "n", "kind": "task", "labels": labels}, {"id": "n2", "name": "n", "kind": "task"}]
    edges = [{"from": "start", "to": "n1"}, {"from": "n1", "to": "n2", "policies": ["é" * 10_000, "short"]}]
    return {"name": "labelled", "version": "1.0.0", "nodes": nodes, "edges": edges}


def test_limits(make, tmp_path):
    """AOB-08: long values are cut between characters, each of a list as well; attribute 129 is dropped and counted."""
    folder = tmp_path / "folder"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("src"))
    # With 5 that every span carries, 5 of the node and 3 of its execution: 129, of which the last is `execution.success`.
    labels = {f"label{number:03}": "é" * 10_000 if number == 0 else "short" for number in range(116)}
    (folder / "workflows" / "labelled.json").write_text(json.dumps(labelled(labels)))
    system = make(environment=LIMITS, folder=folder).start()
    body = system.run("labelled", workflow="labelled")[1]
    tree = system.trace(body["trace_id"], sent(2))
    node = tree.node("n1")
    assert node.tags["node.label.label000"] == "é" * 2048
    (check,) = [each for each in tree.named("policy.check") if each.tags["policy.edge"] == "n1->n2"]
    rules = check.tags["policy.rules"]
    assert (json.loads(rules) if isinstance(rules, str) else rules) == ["é" * 2048, "short"]
    span = system.clew.get(f"/api/v1/traces/{body['trace_id']}/spans/{node.id}")
    assert span["dropped"]["attributes"] == 1 and len(span["attributes"]) == 128
    assert "execution.success" not in node.tags and node.tags["node.label.label115"] == "short"


def test_batches(make):
    """AOB-08: 512 spans are sent at once, the rest when it is time or when the process ends."""
    batch = {"OTEL_BSP_SCHEDULE_DELAY": "60000", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "512", "OTEL_BSP_EXPORT_TIMEOUT": "30000"}
    system = make(environment=batch).start()

    def spans(trace_id):
        trace = system.clew.trace(trace_id)
        return [each for each in Tree(trace).spans if each.service == "aob-api"] if trace else []

    ids = [system.run(f"batch-{number}", approval=True)[1]["trace_id"] for number in range(12)]
    wait_until(lambda: spans(ids[0]), 5, "the first 512 spans arrive")
    assert sum(len(spans(each)) for each in ids) == 512 or not spans(ids[-1])
    # What still waits in the outbox would be sent by the next process.
    assert system.post("/admin/outbox/drain").status_code == 200
    system.stop()
    everything = [Tree(system.clew.trace(each)) for each in ids]
    assert all(len(tree.named("POST /workflows/start")) == 1 for tree in everything)
    assert all(len(tree.named("send aob.events")) == 5 for tree in everything)


def sampled(make, sampler, ratio):
    """A workflow API alone that records so many of its traces."""
    variables = {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": ratio, "OTEL_SERVICE_NAME": f"aob-{sampler}-{ratio}"}
    return make(f"{sampler}-{ratio}", environment=variables).start(["api"])


def ask_often(system, count, headers=None):
    """Requests that are roots of traces, from several clients at once; each is answered."""
    url = f"http://{system.addresses['api']}/workflows/none/events"

    def ask(numbers):
        with requests.Session() as session:
            return [session.get(url, headers={**KEY, **(headers(each) if headers else {})}, timeout=20).status_code for each in numbers]

    clients = 8
    with ThreadPoolExecutor(clients) as pool:
        answers = pool.map(ask, [range(first, count, clients) for first in range(clients)])
    assert {status for each in answers for status in each} == {404}


def sampling(system):
    """The configured and the actual share that the process last told of."""
    answer = requests.get(f"{system.clew.api}/api/v1/metrics/clew.traces.sampling.ratio", timeout=20)
    told = {}
    for series in answer.json()["series"] if answer.status_code == 200 else []:
        attributes = {pair["key"]: pair["value"] for pair in series["attributes"]}
        if series["service"] == system.service:
            told[attributes["kind"]] = series["points"][-1]["value"]
    return told


@pytest.mark.parametrize("sampler", ["traceidratio", "parentbased_traceidratio"])
def test_sampling(make, sampler):
    """AOB-09: a tenth of 10,000 is recorded, as configured; what a caller records is recorded."""
    system = sampled(make, sampler, "0.1")
    ask_often(system, 10_000)
    told = wait_until(lambda: sampling(system) if "actual" in sampling(system) else None, 20, "the shares are told")
    # Metrics are told twice a second: the last of them counts all.
    told = wait_until(lambda: sampling(system) if abs(sampling(system)["actual"] - 0.1) <= 0.01 else None, 20, f"a tenth: {told}")
    assert told["configured"] == pytest.approx(0.1)
    pair = system.clew.promql('clew_traces_sampling_ratio{service_name="%s"}' % system.service)
    shares = {series["metric"]["kind"]: float(series["value"][1]) for series in pair}
    assert shares["configured"] == pytest.approx(0.1) and abs(shares["actual"] - 0.1) <= 0.01
    callers = [uuid.uuid4().hex for _ in range(200)]
    ask_often(system, 200, lambda number: {"traceparent": f"00-{callers[number]}-{CALLER}-01"})
    system.stop()
    found = [each for each in callers if system.clew.trace(each)]
    assert len(found) == 200 if sampler.startswith("parentbased") else len(found) < 100


def test_wrong_sampling(make):
    """AOB-09: a share that is no number is told of, and everything is recorded."""
    system = sampled(make, "traceidratio", "half")
    ask_often(system, 50)
    told = wait_until(lambda: sampling(system) if "actual" in sampling(system) else None, 20, "the shares are told")
    assert told == {"configured": 1.0, "actual": 1.0}
    logs = wait_until(lambda: system.clew.get("/api/logs", q=f"service:{system.service}")["logs"], 20, "the warning is told")
    assert any("OTEL_TRACES_SAMPLER_ARG" in each["body"]["value"] for each in logs), logs


def test_branch(aob):
    """A branch leads where its value says."""
    for risk, expected in (("low", {"b1", "n4"}), ("high", {"b1", "n3"})):
        body = aob.run(f"triage-{risk}", workflow="triage", risk=risk)[1]
        tree = aob.trace(body["trace_id"], lambda tree: tree.named("workflow.execution"))
        assert {each.tags["node.id"] for each in tree.named("node.execution")} == expected
        assert tree.node("b1").tags["branch.taken"] in expected


def test_refusals(aob):
    """What cannot be done is said, with its status."""
    assert requests.post(f"http://{aob.addresses['api']}/workflows/start", json={}, timeout=20).status_code == 401
    aob.run("twice", workflow="flaky")
    assert aob.run("twice", workflow="flaky")[0].status_code == 409
    assert aob.run("unknown", workflow="no-such-workflow")[0].status_code == 404
    assert aob.post("/workflows/resume", {"workflow_id": "never", "approval": True}).status_code == 404


def test_caller_goes_away(aob):
    """A run is finished although nobody waits for the answer."""
    body = {"workflow_id": "alone", "text": "hello", "workflow": "flaky"}
    with pytest.raises(requests.Timeout):
        requests.post(f"http://{aob.addresses['api']}/workflows/start", json=body, headers=KEY, timeout=0.03)
    wait_until(lambda: len(aob.get("/workflows/alone/events")["events"]) == 3, 20, "the run completes")
    events = aob.get("/workflows/alone/events")["events"]
    assert events[-1]["type"] == "workflow.completed"
    tree = aob.trace(events[0]["trace_id"], sent(3), lambda tree: tree.named("workflow.execution"))
    assert tree.named("workflow.execution")[0].is_ok()
    # The request was given up, so it has no answer.
    assert "http.response.status_code" not in tree.root().tags


def test_callers_context(aob):
    """A caller's trace goes on in the system."""
    trace_id = uuid.uuid4().hex
    body = {"workflow_id": "called", "text": "hello", "workflow": "flaky"}
    answer = aob.post("/workflows/start", body, traceparent=f"00-{trace_id}-{CALLER}-01")
    assert answer.json()["trace_id"] == trace_id
    tree = aob.trace(trace_id, sent(3))
    assert tree.named("POST /workflows/start")[0].parent == CALLER


def audited(system):
    """The events that the worker keeps."""
    with sqlite3.connect(system.directory / "data" / "audit.sqlite") as audit:
        return [event for event, in audit.execute("SELECT event FROM audit ORDER BY rowid")]


def event_ids(system, run):
    return [each["id"] for each in system.get(f"/workflows/{run}/events")["events"]]


@pytest.mark.parametrize("bus", BUSES, indirect=True)
def test_worker_is_away(bus, make):
    """Events wait for the worker, in order and each once; what was published is not published again."""
    system = make(bus=bus).start(["provider", "opa", "model-gateway", "tool-gateway", "api"])
    body = system.run("away", approval=True)[1]
    assert system.post("/admin/outbox/drain").json()["published"] in range(6)
    assert system.post("/admin/outbox/drain").json() == {"published": 0}
    system.start_one("worker")
    tree = system.trace(body["trace_id"], sent(5))
    order = [each.tags["messaging.message_id"] for each in sorted(tree.named("process aob.events"), key=lambda each: each.begin)]
    assert order == event_ids(system, "away")
    system.stop_one("worker")
    system.start_one("worker")
    other = system.run("after", approval=True)[1]
    system.trace(other["trace_id"], sent(5))
    assert len(system.trace(body["trace_id"]).named("process aob.events")) == 5
    assert audited(system) == [*event_ids(system, "away"), *event_ids(system, "after")]


@pytest.mark.parametrize("bus", BUSES, indirect=True)
def test_message_comes_twice(bus, make):
    """A process that dies after it has sent a message, and before it could note that, sends it again: it is kept once."""
    system = make(bus=bus).start()
    body = system.run("twice-told", approval=True)[1]
    system.trace(body["trace_id"], sent(5))
    events = event_ids(system, "twice-told")
    with sqlite3.connect(system.directory / "data" / "aob.sqlite") as store:
        store.execute("UPDATE outbox SET published_at = NULL WHERE event = ?", (events[1],))

    def repeated():
        tree = Tree(system.clew.trace(body["trace_id"]))
        # The file sees by its id that it has it; Kafka hands out both.
        return len(tree.named("send aob.events")) == 6 and len(tree.named("process aob.events")) == (6 if bus else 5) and tree

    tree = wait_until(repeated, 60, "it is sent again")
    again = [each for each in tree.named("send aob.events") if each.tags["messaging.message.id"] == events[1]]
    assert len(again) == 2
    assert audited(system) == events


def test_kafka_is_away(own_kafka, make):
    """Runs go on; their events wait in the outbox, which one line tells of, and go out when the broker is there."""
    system = make(bus=own_kafka.url, environment={"OTEL_SERVICE_NAME": "aob-outages"}).start()

    def told(text):
        logs = system.clew.get("/api/logs", q=f"service:{system.service}")["logs"]
        return len([each for each in logs if each["body"]["value"] == text])

    def run_three(outage):
        runs = {f"outage-{outage}-{number}": system.run(f"outage-{outage}-{number}", approval=True)[1] for number in range(3)}
        assert {each["state"] for each in runs.values()} == {"completed"}
        wait_until(lambda: told("events wait in the outbox") == outage, 60, "the outage is told")
        return runs

    def delivered_at_last(runs):
        """The attempts that failed; all events came to the worker, those of a run in their order."""
        trees = {run: system.trace(body["trace_id"], delivered(5)) for run, body in runs.items()}
        for run, tree in trees.items():
            processed = sorted(tree.named("process aob.events"), key=lambda each: each.begin)
            assert [each.tags["messaging.message.id"] for each in processed] == event_ids(system, run)
        failed = [each for tree in trees.values() for each in tree.named("send aob.events") if each.is_error()]
        assert {each.tags["error.type"] for each in failed} == {"unreachable"}
        return len(failed)

    # It is not there yet. What is tried is recorded when it begins to fail, and when somebody asks for it.
    runs = run_three(1)
    drained = system.post("/admin/outbox/drain")
    assert drained.status_code == 502 and own_kafka.url in drained.json()["error"]
    own_kafka.start()
    wait_until(lambda: told("events are published again") == 1, 60, "the end of the outage is told")
    assert delivered_at_last(runs) == 2
    # It is lost, and the system is stopped before it is back.
    own_kafka.kill()
    runs = run_three(2)
    assert set(system.stop().values()) == {0}
    own_kafka.start()
    system.start()
    assert delivered_at_last(runs) == 1
    assert told("events wait in the outbox") == 2
    assert len(audited(system)) == 6 * 5


def test_readme(make, clew):
    """Its commands do what it says, one after the other."""
    system = make().start()
    text = open(f"{FOLDER}/README.md").read()
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    commands = [line for block in blocks for line in block.replace("\\\n", "").splitlines()]
    assert len(commands) >= 10
    told = []
    for command in commands:
        command = command.replace("localhost:8000", system.addresses["api"]).replace("localhost:16686", f"127.0.0.1:{clew.query}")
        done = subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{command}: {done.returncode} {done.stdout}"
        told.append(json.loads(done.stdout))
    states = [each["state"] for each in told if "state" in each]
    assert states == ["waiting", "completed", "completed", "denied", "completed"]
    assert told[-1]["data"]


def test_up(binary, clew, tmp_path):
    """One command starts all services, says so, and stops them."""
    system = Aob(binary, clew, tmp_path / "up", environment={"OTEL_SERVICE_NAME": "aob-api"})
    command = [binary, "up", *system.flags()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=system.environment) as process:
        try:
            assert process.stdout.readline() == f"AOB answers on http://{system.addresses['api']}\n"
            answer, body = system.run("up", approval=True)
            assert answer.status_code == 200 and body["state"] == "completed"
            tree = system.trace(body["trace_id"], sent(5))
            assert {each.service for each in tree.spans} == {"aob-api", "aob-opa", "aob-model-gateway", "aob-tool-gateway", "aob-worker"}
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://{system.addresses['api']}/health", timeout=2)


def test_measures(aob, demo):
    """What the engine counts arrives."""
    def series(name):
        answer = requests.get(f"{aob.clew.api}/api/v1/metrics/{name}", timeout=20)
        return answer.json()["series"] if answer.status_code == 200 else []

    def decisions():
        pairs = [pair for each in series("aob_policy_decisions_total") for pair in each["attributes"]]
        return {pair["value"] for pair in pairs if pair["key"] == "decision"}

    def requests_to(path):
        pairs = [{pair["key"]: str(pair["value"]) for pair in each["attributes"]} for each in series("aob_requests_total")]
        return {each["status_code"] for each in pairs if each["path"] == path and each["method"] == "POST"}

    aob.run("measured", risk="high")
    wait_until(lambda: "200" in requests_to("/workflows/start"), 20, "requests are counted")
    wait_until(lambda: decisions() >= {"allow", "deny"}, 20, "decisions are counted")
    wait_until(lambda: series("aob_workflow_duration_seconds") and series("aob_workflow_nodes_total"), 20, "runs are measured")
