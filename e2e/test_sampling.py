"""Tail sampling: errors always, success sometimes (case BEL-09c). Every span is visible at once; once a trace is decided
on, it is there whole or gone whole, after a restart and after kill -9 too."""

import os
import random
import subprocess
import time

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Status, StatusCode

from clew import BINARY, wait_until
from test_crash import SPANS, Client

KILLS = int(os.environ.get("CLEW_SAMPLING_KILLS", "15"))
POLICY = ["--sample-keep", "status:error", "--sample-rest", "0.1"]


def is_lucky(trace_id):
    """Whether the trace is of the tenth that is kept for its id."""
    return int(trace_id[-14:], 16) >= round(0.9 * 2**56)


class Ids(IdGenerator):
    """As random as the SDK's own, and the same in every run."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def generate_span_id(self):
        return self.random.getrandbits(63) + 1

    def generate_trace_id(self):
        return self.random.getrandbits(127) + 1


def send(clew, count, is_error):
    """Sends traces of four spans with the SDK; answers which of them have an error."""
    provider = TracerProvider(resource=Resource.create({"service.name": "sampled"}), id_generator=Ids(9))
    exporter = OTLPSpanExporter(endpoint=f"{clew.otlp_http}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=8 * count))
    tracer, sent = provider.get_tracer("e2e"), {}
    for number in range(count):
        with tracer.start_as_current_span("answer") as root:
            for step in range(3):
                with tracer.start_as_current_span(f"step {step}") as span:
                    if is_error(number) and step == number % 3:
                        span.set_status(Status(StatusCode.ERROR, "no answer"))
        sent[format(root.get_span_context().trace_id, "032x")] = is_error(number)
    assert provider.force_flush(60_000)
    provider.shutdown()
    return sent


def stored(clew, sent):
    """How many spans of each trace there are."""
    with requests.Session() as session:
        answers = {each: session.get(f"{clew.api}/api/v1/traces/{each}", timeout=60) for each in sent}
    assert {answer.status_code for answer in answers.values()} <= {200, 404}
    return {each: answer.json()["spans"] if answer.ok else 0 for each, answer in answers.items()}


def sampling(clew):
    return clew.get("/api/v1/status")["sampling"]


def wait_until_decided(clew):
    wait_until(lambda: clew.get("/api/v1/status")["hotBytes"] == "0", 60, "every trace is decided on")


def test_bel_09c_errors_always_success_sometimes(own_clew):
    clew = own_clew(extra=[*POLICY, "--sample-wait", "1h"]).start()
    sent = send(clew, 1000, lambda number: number % 10 == 0)
    assert len(sent) == 1000 and sum(sent.values()) == 100
    # Nothing is decided yet, and everything is there.
    assert set(stored(clew, sent).values()) == {4}
    clew.kill()
    clew.start()
    assert set(stored(clew, sent).values()) == {4}
    assert clew.stop() == 0

    clew.extra = [*POLICY, "--sample-wait", "1s"]
    clew.start()
    wait_until_decided(clew)
    kept = {each for each, error in sent.items() if error or is_lucky(each)}
    assert 65 <= len(kept) - 100 <= 115
    expected = {each: 4 if each in kept else 0 for each in sent}
    assert stored(clew, sent) == expected
    told = sampling(clew)
    assert (int(told["keptTraces"]), int(told["droppedTraces"])) == (len(kept), 1000 - len(kept))
    assert (int(told["keptSpans"]), int(told["droppedSpans"])) == (4 * len(kept), 4 * (1000 - len(kept)))
    assert (told["rest"], told["keep"], told["wait"], told["earlyTraces"]) == (0.1, "status:error", "1s", "0")
    assert clew.get("/api/v1/status")["stored"]["spans"] == str(4 * len(kept))
    found = clew.get("/api/v1/traces", q="status:error", limit=1000)["traces"]
    assert {trace["traceId"] for trace in found} == {each for each, error in sent.items() if error}
    operations = clew.get("/api/v1/operations")["operations"]
    assert sum(int(operation["spans"]) for operation in operations) == 4 * len(kept)
    dropped = next(each for each in sent if each not in kept)
    answer = requests.get(f"{clew.api}/api/v1/traces/{dropped}", timeout=60)
    assert answer.status_code == 404 and "sampled" in answer.text
    doctor = subprocess.run([BINARY, "doctor", "--server", clew.api], capture_output=True, text=True, timeout=60)
    assert f"{len(kept)} kept and {1000 - len(kept)} dropped" in doctor.stdout

    clew.kill()
    clew.start()
    assert stored(clew, sent) == expected
    assert clew.stop() == 0
    clew.start()
    assert stored(clew, sent) == expected


class HalfByHalf(Client):
    """Sends each trace in two requests. Every fifth has an error, in the first of them."""

    def __init__(self, clew, number, seed):
        super().__init__(clew, number, seed)
        self.second = None

    def request(self):
        if self.second:
            (trace_id, body), self.second = self.second, None
            return "/v1/traces", trace_id, body
        trace_id = f"{self.random.getrandbits(127) + 1:032x}"
        body = self.spans(trace_id)
        scope = body["resourceSpans"][0]["scopeSpans"][0]
        if int(trace_id, 16) % 5 == 0:
            scope["spans"][1]["status"] = {"code": 2}
        first, second = scope["spans"][: SPANS // 2], scope["spans"][SPANS // 2 :]
        resource = body["resourceSpans"][0]["resource"]
        half = lambda spans: {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
        self.second = trace_id, half(second)
        return "/v1/traces", trace_id, half(first)


def test_killed_while_traces_are_decided_on(own_clew):
    seed = int(os.environ.get("CLEW_CRASH_SEED", str(random.randrange(2**32))))
    print(f"CLEW_CRASH_SEED={seed}")
    chance = random.Random(seed)
    extra = [*POLICY, "--sample-wait", "500ms", "--storage-seal-bytes", "256KB", "--storage-seal-age", "1s"]
    clew = own_clew(extra=extra).start()
    clients = [HalfByHalf(clew, number, seed + number) for number in range(3)]
    for client in clients:
        client.start()
    dropped = 0
    for _ in range(KILLS):
        # Of two runs, one is killed while it decides, the other before.
        if chance.random() < 0.5:
            wait_until(lambda: int(sampling(clew)["droppedTraces"]) > 0, 60, "a trace is dropped")
        moment = time.monotonic() + chance.random() * 0.4
        wait_until(lambda: time.monotonic() > moment, 10)
        dropped += int(sampling(clew)["droppedTraces"])
        clew.kill()
        clew.start()
    for client in clients:
        client.stopping.set()
    for client in clients:
        client.join(30)
    wait_until_decided(clew)

    # The last trace of a client may have been cut off by the end of the test.
    acknowledged = [[name for name, _ in client.acknowledged["/v1/traces"]] for client in clients]
    sent = {each for names in acknowledged for each in names[: len(names) // 2 * 2]}
    kept = lambda each: int(each, 16) % 5 == 0 or is_lucky(each)
    found = stored(clew, sent)
    wrong = {each: spans for each, spans in found.items() if spans != (SPANS if kept(each) else 0)}
    assert not wrong, f"{len(wrong)} of {len(sent)} traces are wrong: {list(wrong.items())[:3]}"
    assert dropped > 0 and any(found.values())
    print(f"{KILLS} kills, {len(sent)} traces, {sum(map(bool, found.values()))} kept, {dropped} dropped in between")


def test_wrong_settings_are_told(tmp_path):
    for wrong, told in (
        (["--sample-rest", "2"], "sampling.rest = `2` (--sample-rest) is wrong: expected a share from 0 to 1"),
        (["--sample-rest", "0.1", "--sample-keep", "kind:"], "expected a filter as in the query bar"),
        (["--sample-rest", "0.1", "--sample-wait", "soon"], "expected a time with its unit"),
        (["--sample-keep", "status:error"], "sampling.keep is set, but not sampling.rest"),
    ):
        command = [BINARY, "serve", "--data-directory", str(tmp_path), *wrong]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and told in done.stderr, done.stderr
