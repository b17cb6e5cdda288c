"""Starts AOB's processes, and reads its traces by their names."""

import os
import signal
import subprocess

import requests

from clew import free_ports, wait_until

FOLDER = "examples/aob"
SERVICES = ["provider", "opa", "model-gateway", "tool-gateway", "worker", "api"]
KEY = {"X-API-Key": "demo:local-dev-key"}
# The span of a caller from elsewhere.
CALLER = "b7ad6b7169203331"
BELONGINGS = {"workflow.id", "workflow.name", "workflow.version", "tenant.id", "user.id"}
# The guide's variables, but for the endpoint's port.
GUIDE = {
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_EXPORTER_OTLP_HEADERS": "",
    "OTEL_RESOURCE_ATTRIBUTES": "service.name=agentic-core,service.version=1.0.0,deployment.environment=development",
    "OTEL_TRACES_SAMPLER": "traceidratio",
    "OTEL_TRACES_SAMPLER_ARG": "1.0",
    "OTEL_SERVICE_VERSION": "1.0.0",
}


class Aob:
    """The system's processes, each on a free port."""

    def __init__(self, binary, clew, directory, environment=None, folder=FOLDER, bus=None):
        self.bus = "kafka" if bus else "sqlite"
        self.binary, self.clew, self.directory, self.folder = binary, clew, directory, folder
        directory.mkdir(parents=True, exist_ok=True)
        ports = free_ports(5)
        names = ["provider", "opa", "model-gateway", "tool-gateway", "api"]
        self.addresses = {name: f"127.0.0.1:{port}" for name, port in zip(names, ports)}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
            **GUIDE, "OTEL_EXPORTER_OTLP_ENDPOINT": clew.otlp_http, "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_METRIC_EXPORT_INTERVAL": "500", **(environment or {}), **({"AOB_BUS": bus} if bus else {}),
        }
        self.processes = {}
        # As the API is called in telemetry.
        self.service = self.environment.get("OTEL_SERVICE_NAME", "aob-api")

    def flags(self):
        """What every service is told."""
        addresses = [flag for name, address in self.addresses.items() for flag in (f"--{name}", address)]
        return [*addresses, "--folder", str(self.folder), "--data", str(self.directory / "data"), "--traces-url", self.clew.api]

    def start_one(self, service):
        name = self.service if service == "api" else f"aob-{service}"
        with open(self.directory / f"{service}.log", "ab") as log:
            self.processes[service] = subprocess.Popen(
                [self.binary, service, *self.flags()], stdout=log, stderr=log,
                env={**self.environment, "OTEL_SERVICE_NAME": name},
            )
        if service in self.addresses:
            wait_until(lambda: self.answers(service), 20, f"{service} answers")

    def answers(self, service):
        process = self.processes[service]
        said = (self.directory / f"{service}.log").read_text()
        assert process.poll() is None, f"{service} ended with {process.returncode}: {said}"
        try:
            return requests.get(f"http://{self.addresses[service]}/health", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def start(self, services=SERVICES):
        for service in services:
            self.start_one(service)
        return self

    def stop_one(self, service):
        process = self.processes.pop(service)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def stop(self):
        return {service: self.stop_one(service) for service in reversed(list(self.processes))}

    def post(self, path, body=None, **headers):
        return requests.post(f"http://{self.addresses['api']}{path}", json=body, headers={**KEY, **headers}, timeout=60)

    def get(self, path):
        answer = requests.get(f"http://{self.addresses['api']}{path}", headers=KEY, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run(self, workflow_id, **more):
        answer = self.post("/workflows/start", {"workflow_id": workflow_id, "text": "hello agentic", "approval": False, **more})
        return answer, answer.json()

    def is_whole(self, tree):
        """No span lacks its parent; every request has come to its service, and every event to the worker."""
        known = {None, CALLER, *(each.id for each in tree.spans)}
        asked = [each for each in tree.named("POST") if not each.is_error() and self.addresses["provider"] not in each.tags["url.full"]]
        told = [each for each in tree.named("send aob.events") if not each.is_error()]
        if not all(each.parent in known for each in tree.spans):
            return False
        return all(tree.below(each) for each in asked) and all(tree.below(each, "process aob.events") for each in told)

    def trace(self, trace_id, *conditions):
        """The trace, once it is whole and these hold of it."""
        conditions = [*conditions, self.is_whole]
        found = {}

        def complete():
            found["trace"] = self.clew.trace(trace_id)
            return found["trace"] and all(condition(Tree(found["trace"])) for condition in conditions)

        try:
            wait_until(complete, 60)
        except AssertionError:
            raise AssertionError(f"what the trace has: {found['trace'] and Tree(found['trace']).names()}") from None
        return Tree(found["trace"])


class Span:
    def __init__(self, raw, process):
        self.raw, self.name, self.id, self.process = raw, raw["operationName"], raw["spanID"], process
        self.begin, self.end = raw["startTime"], raw["startTime"] + raw["duration"]
        self.seconds = raw["duration"] / 1e6
        self.tags = {tag["key"]: tag["value"] for tag in raw["tags"]}
        self.types = {tag["key"]: tag["type"] for tag in raw["tags"]}
        self.service = process["serviceName"]
        parents = [each["spanID"] for each in raw["references"] if each["refType"] == "CHILD_OF"]
        self.parent = parents[0] if parents else None
        self.links = {each["traceID"] for each in raw["references"] if each["refType"] == "FOLLOWS_FROM"}

    @property
    def events(self):
        return [{field["key"]: field["value"] for field in each["fields"]} for each in self.raw["logs"]]

    def is_error(self):
        return self.tags.get("otel.status_code") == "ERROR"

    def is_ok(self):
        return self.tags.get("otel.status_code") == "OK"


class Tree:
    def __init__(self, raw):
        self.spans = [Span(each, raw["processes"][each["processID"]]) for each in raw["spans"]]

    def names(self):
        return sorted(f"{each.service}: {each.name} {each.tags.get('node.id', '')}" for each in self.spans)

    def named(self, name):
        return [each for each in self.spans if each.name == name]

    def root(self):
        (root,) = [each for each in self.spans if each.parent is None]
        return root

    def below(self, span, name=None):
        return [each for each in self.spans if each.parent == span.id and name in (None, each.name)]

    def node(self, node_id):
        (node,) = [each for each in self.named("node.execution") if each.tags["node.id"] == node_id]
        return node

    def only(self, span, name):
        (one,) = self.below(span, name)
        return one


def sent(count):
    return lambda tree: len(tree.named("send aob.events")) == count


def delivered(count):
    return lambda tree: len([each for each in tree.named("send aob.events") if not each.is_error()]) == count
