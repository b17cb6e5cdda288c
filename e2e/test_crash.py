"""Several clients send spans, log records and points while the server is killed with SIGKILL at random moments: all that
was acknowledged is found exactly once, whether it was in the log, the hot buffer, a half-written block or a sealed one."""

import collections
import json
import os
import random
import threading
import time

import requests

from clew import wait_until

KILLS = int(os.environ.get("CLEW_CRASH_KILLS", "100"))
CLIENTS = 4
SPANS = 8


class Client(threading.Thread):
    """Sends one request after the other and, as SDKs do, sends again what was not acknowledged."""

    def __init__(self, clew, number, seed):
        super().__init__(daemon=True)
        self.clew, self.number = clew, number
        self.random = random.Random(seed)
        # What was acknowledged, by path, with whether it had to be sent again.
        self.acknowledged = {"/v1/traces": [], "/v1/logs": [], "/v1/metrics": []}
        self.count = 0
        self.stopping = threading.Event()

    def run(self):
        session = requests.Session()
        while not self.stopping.is_set():
            path, name, body = self.request()
            resent = False
            while True:
                try:
                    answer = session.post(self.clew.otlp_http + path, json=body, timeout=10)
                    if answer.status_code == 200:
                        self.acknowledged[path].append((name, resent))
                        self.count += 1
                        break
                    assert answer.status_code in (429, 503), f"{answer.status_code}: {answer.text[:300]}"
                except requests.RequestException:
                    session = requests.Session()
                if self.stopping.wait(0.02):
                    return
                resent = True

    def request(self):
        """The path, the name and the body of the next request."""
        path = self.random.choice(["/v1/traces", "/v1/traces", "/v1/logs", "/v1/metrics"])
        name = f"{self.random.getrandbits(127) + 1:032x}"
        return path, name, {"/v1/traces": self.spans, "/v1/logs": self.records, "/v1/metrics": self.points}[path](name)

    def spans(self, trace_id):
        start = time.time_ns()
        spans = [
            {
                "traceId": trace_id, "spanId": f"{row + 1:016x}", "parentSpanId": "" if row == 0 else f"{1:016x}",
                "name": f"step {row}", "kind": 1, "startTimeUnixNano": str(start + row),
                "endTimeUnixNano": str(start + row + 1000),
                "attributes": [{"key": "client", "value": {"intValue": str(self.number)}}],
            }
            for row in range(SPANS)
        ]
        service = {"key": "service.name", "value": {"stringValue": "crash"}}
        return {"resourceSpans": [{"resource": {"attributes": [service]}, "scopeSpans": [{"spans": spans}]}]}

    def records(self, name):
        records = [
            {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": f"{name} {row}"}} for row in range(SPANS)
        ]
        return {"resourceLogs": [{"resource": {}, "scopeLogs": [{"logRecords": records}]}]}

    def points(self, name):
        attributes = [{"key": "name", "value": {"stringValue": name}}]
        points = [{"timeUnixNano": str(time.time_ns()), "asInt": "1", "attributes": attributes}]
        metrics = [{"name": "crash", "gauge": {"dataPoints": points}}]
        return {"resourceMetrics": [{"resource": {}, "scopeMetrics": [{"metrics": metrics}]}]}


def exported(clew, signal):
    """Everything that is stored of a signal, item by item."""
    answer = requests.get(f"{clew.api}/api/v1/export/{signal}", stream=True, timeout=300)
    assert answer.status_code == 200, answer.text
    for line in answer.iter_lines():
        yield from json.loads(line)[{"traces": "resourceSpans", "logs": "resourceLogs", "metrics": "resourceMetrics"}[signal]]


def found_records(clew):
    bodies = (
        record["body"]["stringValue"] for resource in exported(clew, "logs")
        for scope in resource["scopeLogs"] for record in scope["logRecords"]
    )
    return collections.Counter(bodies)


def found_points(clew):
    names = (
        point["attributes"][0]["value"]["stringValue"] for resource in exported(clew, "metrics")
        for scope in resource["scopeMetrics"] for metric in scope["metrics"] for point in metric["gauge"]["dataPoints"]
    )
    return collections.Counter(names)


def check_counts(clew):
    """Every span is exported once and counted once, however often it was sent and wherever its versions are."""
    spans = collections.Counter(
        (span["traceId"], span["spanId"]) for resource in exported(clew, "traces")
        for scope in resource["scopeSpans"] for span in scope["spans"]
    )
    doubled = [span for span, times in spans.items() if times > 1]
    assert not doubled, f"{len(doubled)} of {len(spans)} spans are exported more than once: {doubled[:3]}"
    operations = clew.get("/api/v1/operations?limit=1000")["operations"]
    assert sum(int(each["spans"]) for each in operations) == len(spans)
    assert int(clew.get("/api/v1/status")["stored"]["spans"]) == len(spans)


def is_once(times, resent):
    # Log records and points have no identity: what was stored and could not be acknowledged any more is sent again.
    return times >= 1 if resent else times == 1


def check(clew, clients):
    """Compares what is stored with what was acknowledged; answers how many items that are."""
    expected = [f"{row + 1:016x}" for row in range(SPANS)]
    of = lambda path: dict(each for client in clients for each in client.acknowledged[path])
    traces, logs, metrics = of("/v1/traces"), of("/v1/logs"), of("/v1/metrics")
    wrong = {each: found for each in traces if (found := span_ids(clew, each)) != expected}
    assert not wrong, f"{len(wrong)} of {len(traces)} acknowledged traces are not whole: {list(wrong.items())[:3]}"
    check_counts(clew)
    records = found_records(clew)
    wrong = [
        (name, row, times) for name, resent in logs.items() for row in range(SPANS)
        if not is_once(times := records[f"{name} {row}"], resent)
    ]
    assert not wrong, f"{len(wrong)} acknowledged log records are lost or doubled: {wrong[:3]}"
    points = found_points(clew)
    wrong = [(name, points[name]) for name, resent in metrics.items() if not is_once(points[name], resent)]
    assert not wrong, f"{len(wrong)} acknowledged points are lost or doubled: {wrong[:3]}"
    return (len(traces) + len(logs)) * SPANS + len(metrics), sum(map(sum, (of(path).values() for path in ("/v1/traces", "/v1/logs", "/v1/metrics"))))


def span_ids(clew, trace_id):
    trace = clew.trace(trace_id)
    return sorted(span["spanID"] for span in trace["spans"]) if trace else []


def test_killed_many_times(own_clew):
    seed = int(os.environ.get("CLEW_CRASH_SEED", str(random.randrange(2**32))))
    print(f"CLEW_CRASH_SEED={seed}")
    chance = random.Random(seed)
    clew = own_clew(extra=["--storage-seal-bytes", "256KB", "--storage-seal-age", "1s"]).start()
    clients = [Client(clew, number, seed + number) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    for _ in range(KILLS):
        count = sum(client.count for client in clients)
        wait_until(lambda: sum(client.count for client in clients) > count, 30, "a request is acknowledged")
        moment = time.monotonic() + chance.random() * 0.4
        while time.monotonic() < moment:
            time.sleep(0.001)
        clew.kill()
        clew.start()
    for client in clients:
        client.stopping.set()
    for client in clients:
        client.join(30)

    items, resent = check(clew, clients)
    # Once more from a cold start after a normal stop, when everything is sealed.
    assert clew.stop() == 0
    clew.start()
    assert check(clew, clients) == (items, resent)
    assert clew.get("/api/v1/status")["problems"] == []
    print(f"{KILLS} kills, {items} items acknowledged, {resent} requests sent again, 0 lost, 0 doubled")
