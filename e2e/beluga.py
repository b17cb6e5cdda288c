"""Starts Beluga, and reads its traces by their names."""

import contextlib
import os
import signal
import subprocess

import requests

from clew import free_ports, wait_until


def environment(**more):
    """Without what this machine may say of telemetry."""
    return {**{key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}, **more}


def run(beluga, clew, *arguments, code=0):
    """Runs it to its end; what it sent must be stored by then."""
    command = [beluga, *arguments, "--endpoint", clew.otlp_http]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment())
    assert ended.returncode == code, ended
    return ended.stdout


@contextlib.contextmanager
def serving(beluga, *arguments, port, path, stdout=None, **variables):
    """A server of Beluga's, which is stopped at the end and must agree to that."""
    command = [beluga, *arguments, "--address", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, env=environment(**variables), stdout=stdout or subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"

    def answers():
        assert process.poll() is None, f"it ended with {process.returncode}"
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(url + path, timeout=5)
        return None

    try:
        wait_until(answers, message=f"{arguments[0]} answers")
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
    assert code == 0, f"{arguments[0]} did not stop when it was told to"


@contextlib.contextmanager
def chat_service(beluga, clew, *arguments, **variables):
    address = f"http://127.0.0.1:{clew.grpc}"
    options = ["--endpoint", address, *arguments]
    with serving(beluga, "chat", *options, port=free_ports(1)[0], path="/health", **variables) as url:
        yield url


class Trace:
    """A trace in Jaeger's form, by names."""

    def __init__(self, data):
        self.id = data["traceID"]
        self.spans = data["spans"]
        self.processes = data["processes"]
        self.by_id = {span["spanID"]: span for span in self.spans}

    def named(self, name):
        return [span for span in self.spans if span["operationName"] == name]

    def one(self, name):
        found = self.named(name)
        assert len(found) == 1, f"{len(found)} spans are called {name}: {self.names()}"
        return found[0]

    def names(self):
        return sorted(span["operationName"] for span in self.spans)

    def parent_id(self, span):
        return next((each["spanID"] for each in span["references"] if each["refType"] == "CHILD_OF"), None)

    def parent(self, span):
        return self.by_id.get(self.parent_id(span))

    def ancestors(self, span):
        above = self.parent(span)
        return [above["operationName"], *self.ancestors(above)] if above else []

    def edges(self):
        """Who is below whom, by names; the root is below None."""
        above = ((self.parent(span) or {}).get("operationName") for span in self.spans)
        return {(parent, span["operationName"]) for parent, span in zip(above, self.spans)}

    def service(self, span):
        return self.processes[span["processID"]]["serviceName"]


def tags(span):
    return {tag["key"]: tag["value"] for tag in span["tags"]}


def types(span):
    return {tag["key"]: tag["type"] for tag in span["tags"]}


def events(span):
    """The attributes of each event, by its name."""
    fields = [{field["key"]: field["value"] for field in log["fields"]} for log in span["logs"]]
    return {each.pop("event"): each for each in fields}


def end(span):
    return span["startTime"] + span["duration"]


def traces(clew, **parameters):
    return [Trace(each) for each in clew.get("/api/traces", **parameters)["data"]]


def the_trace(clew, **parameters):
    found = traces(clew, **parameters)
    assert len(found) == 1, [trace.names() for trace in found]
    return found[0]


def shown(clew, trace):
    """The page and what it loads have the trace, in which no child leaves its parent's time."""
    page = requests.get(f"{clew.api}/", timeout=20)
    assert page.status_code == 200 and "<html" in page.text.lower()
    skeleton = requests.get(f"{clew.api}/api/v1/traces/{trace.id}/skeleton", timeout=20)
    assert skeleton.status_code == 200 and skeleton.content.startswith(b"CLEWSK01")
    assert clew.get(f"/api/v1/traces/{trace.id}")["spans"] == len(trace.spans)
    for span in trace.spans:
        above = trace.parent(span)
        # Jaeger's times are whole microseconds: start and duration are each up to one too low.
        if above:
            assert above["startTime"] <= span["startTime"] and end(span) <= end(above) + 2, span["operationName"]


def assert_failed(span, error_type):
    assert tags(span)["otel.status_code"] == "ERROR" and tags(span)["error"] is True
    assert tags(span)["error.type"] == error_type
    assert events(span)["exception"]["exception.type"] == error_type


def values(clew, name):
    """The newest value of each series, by its attributes; of a histogram its count."""
    answer = requests.get(f"{clew.api}/api/v1/metrics/{name}", timeout=20)
    if answer.status_code == 404:
        return {}
    found = {}
    for series in answer.json()["series"]:
        key = tuple(sorted((each["key"], each["value"]) for each in series["attributes"]))
        newest = max(series["points"], key=lambda point: int(point["time"]))
        value = newest["value"] if newest["count"] is None else newest["count"]
        found[key] = float(value)
    return found
