"""Several clients send while the server is killed with SIGKILL at random moments: every acknowledged span is found
exactly once, whether it was in the log, the hot buffer, a half-written block or a sealed one."""

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
    """Sends one trace per request and, as SDKs do, sends again what was not acknowledged."""

    def __init__(self, clew, number, seed):
        super().__init__(daemon=True)
        self.clew, self.number = clew, number
        self.random = random.Random(seed)
        self.acknowledged, self.resent = [], 0
        self.stopping = threading.Event()

    def run(self):
        session = requests.Session()
        while not self.stopping.is_set():
            trace_id, body = self.request()
            while True:
                try:
                    answer = session.post(f"{self.clew.otlp_http}/v1/traces", json=body, timeout=10)
                    if answer.status_code == 200:
                        self.acknowledged.append(trace_id)
                        break
                    assert answer.status_code in (429, 503), f"{answer.status_code}: {answer.text[:300]}"
                except requests.RequestException:
                    session = requests.Session()
                if self.stopping.wait(0.02):
                    return
                self.resent += 1

    def request(self):
        trace_id = f"{self.random.getrandbits(127) + 1:032x}"
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
        return trace_id, {"resourceSpans": [{"resource": {"attributes": [service]}, "scopeSpans": [{"spans": spans}]}]}


def span_ids(clew, trace_id):
    trace = clew.trace(trace_id)
    return sorted(span["spanID"] for span in trace["spans"]) if trace else []


def test_killed_a_hundred_times(own_clew):
    seed = int(os.environ.get("CLEW_CRASH_SEED", str(random.randrange(2**32))))
    print(f"CLEW_CRASH_SEED={seed}")
    chance = random.Random(seed)
    clew = own_clew(extra=["--storage-seal-bytes", "256KB", "--storage-seal-age", "1s"]).start()
    clients = [Client(clew, number, seed + number) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    for _ in range(KILLS):
        count = sum(len(client.acknowledged) for client in clients)
        wait_until(lambda: sum(len(client.acknowledged) for client in clients) > count, 30, "a request is acknowledged")
        moment = time.monotonic() + chance.random() * 0.4
        while time.monotonic() < moment:
            time.sleep(0.001)
        clew.kill()
        clew.start()
    for client in clients:
        client.stopping.set()
    for client in clients:
        client.join(30)

    expected = [f"{row + 1:016x}" for row in range(SPANS)]
    acknowledged = [trace_id for client in clients for trace_id in client.acknowledged]
    wrong = {each: found for each in acknowledged if (found := span_ids(clew, each)) != expected}
    assert not wrong, f"{len(wrong)} of {len(acknowledged)} acknowledged traces are not whole: {list(wrong.items())[:3]}"
    # Once more from a cold start after a normal stop, when everything is sealed.
    assert clew.stop() == 0
    clew.start()
    wrong = {each: found for each in acknowledged if (found := span_ids(clew, each)) != expected}
    assert not wrong, f"after a normal stop {len(wrong)} are not whole: {list(wrong.items())[:3]}"
    resent = sum(client.resent for client in clients)
    print(f"{KILLS} kills, {len(acknowledged) * SPANS} spans acknowledged, {resent} requests sent again")
