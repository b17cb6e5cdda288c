"""Measures what questions cost a server in memory, and what they cost those who send: the tables of docs/benchmarks.md.

    CLEW_BIN=target/release/clew python e2e/measure_memory.py [--spans 1000000] [--prompts 3000] [--series 500000] [--askers 12]

Stores a trace of a million spans, prompts of 1 MB, and half a million series, asks each question by so many askers at once,
and prints the peak of the process' memory while it was answered. Then sends small requests while askers ask the heaviest
questions, and prints how long those took beside those of an idle server.
"""

import argparse
import json
import random
import statistics
import string
import struct
import tempfile
import threading
import time

import requests

from clew import Clew, wait_until

TRACE = f"{1:032x}"


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def text(key, value):
    return field(1, key.encode()) + field(2, field(1, value.encode()))


def resource(service):
    return field(1, field(1, text("service.name", service)))


def span(trace, number, parent, start, attributes=()):
    body = field(1, bytes.fromhex(trace)) + field(2, struct.pack(">Q", number))
    if parent:
        body += field(4, struct.pack(">Q", parent))
    body += field(5, f"step {number % 50}".encode()) + b"\x30\x01"
    body += b"\x39" + struct.pack("<Q", start) + b"\x41" + struct.pack("<Q", start + 1_000_000)
    return field(2, body + b"".join(field(9, text(key, value)) for key, value in attributes))


def send(clew, session, path, body):
    for _ in range(600):
        answer = session.post(clew.otlp_http + path, data=body, headers={"content-type": "application/x-protobuf"}, timeout=60)
        if answer.status_code == 200:
            return
        assert answer.status_code in (429, 503), answer.text
        time.sleep(float(answer.headers.get("Retry-After", 1)) / 4)
    raise AssertionError("the server stays full")


def store_trace(clew, spans):
    session, now = requests.Session(), time.time_ns()
    for first in range(1, spans + 1, 5_000):
        rows = range(first, min(first + 5_000, spans + 1))
        body = b"".join(
            span(TRACE, row, row // 10, now + row * 1000, [("gen_ai.request.model", "gpt-4o"), ("step", str(row % 100))])
            for row in rows
        )
        send(clew, session, "/v1/traces", field(1, resource("large") + field(2, body)))


def store_prompts(clew, prompts):
    session, now, chance = requests.Session(), time.time_ns(), random.Random(1)
    words = ["".join(chance.choices(string.ascii_lowercase, k=7)) for _ in range(5_000)]
    for number in range(1, prompts + 1):
        prompt = json.dumps([{"role": "user", "content": " ".join(chance.choices(words, k=130_000))}])
        attributes = [("gen_ai.operation.name", "chat"), ("gen_ai.input.messages", prompt), ("round", str(number))]
        body = span(f"{number % 100 + 10:032x}", number, 0, now + number * 1000, attributes)
        send(clew, session, "/v1/traces", field(1, resource("prompts") + field(2, body)))


def store_series(clew, series):
    session, now = requests.Session(), time.time_ns()
    for first in range(0, series, 5_000):
        points = b"".join(
            field(1, b"\x19" + struct.pack("<Q", now) + b"\x31" + struct.pack("<q", number) + field(7, text("id", str(number))))
            for number in range(first, min(first + 5_000, series))
        )
        metric = field(1, b"many") + field(5, points)
        send(clew, session, "/v1/metrics", field(1, resource("series") + field(2, field(2, metric))))


def peak(clew):
    with open(f"/proc/{clew.process.pid}/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    return int(lines["VmHWM"].split()[0]) / 1024


def reset_peak(clew):
    with open(f"/proc/{clew.process.pid}/clear_refs", "w") as file:
        file.write("5")


def ask(url, answers):
    started = time.monotonic()
    try:
        with requests.get(url, stream=True, timeout=300) as answer:
            size = sum(len(part) for part in answer.iter_content(1 << 16))
            answers.append((answer.status_code, size, time.monotonic() - started))
    except requests.RequestException as error:
        answers.append((type(error).__name__, 0, time.monotonic() - started))


def question(clew, name, url, askers):
    reset_peak(clew)
    answers = []
    threads = [threading.Thread(target=ask, args=(url, answers)) for _ in range(askers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clew.process.poll() is None, "the server died"
    outcomes = {}
    for status, _, _ in answers:
        outcomes[status] = outcomes.get(status, 0) + 1
    told = ", ".join(f"{count} x {status}" for status, count in sorted(outcomes.items(), key=str))
    slowest = max(seconds for _, _, seconds in answers)
    largest = max(size for _, size, _ in answers) / 1e6
    print(f"| {name} | {peak(clew):.0f} | {told} | {largest:.1f} | {slowest:.1f} |", flush=True)


def heavy(clew, moment):
    """Questions, by what they are; the series were of this moment, in seconds."""
    prom = f"http://127.0.0.1:{clew.prometheus}/api/v1"
    trace = f"{clew.api}/api/v1/traces/{TRACE}"
    return [
        ("skeleton of the trace", f"{trace}/skeleton"),
        ("its run", f"{trace}/run"),
        ("its summary", trace),
        ("its calls", f"{trace}/calls"),
        ("the trace as Jaeger's JSON", f"{clew.api}/api/traces/{TRACE}"),
        ("one of its spans", f"{trace}/spans/{77:016x}"),
        ("search: service:large", f"{clew.api}/api/v1/traces?q=service:large"),
        ("search: a word in prompts", f"{clew.api}/api/v1/traces?q=service:prompts input:*zzz*"),
        ("search: newest prompts", f"{clew.api}/api/v1/traces?q=service:prompts&limit=100"),
        ("a trace of 30 prompts, its calls", f"{clew.api}/api/v1/traces/{15:032x}/calls"),
        ("the same, its run", f"{clew.api}/api/v1/traces/{15:032x}/run"),
        ("operations", f"{clew.api}/api/v1/operations"),
        ("operations of a filter", f"{clew.api}/api/v1/operations?q=service:prompts"),
        ("models", f"{clew.api}/api/v1/models"),
        ("findings", f"{clew.api}/api/v1/findings"),
        ("values of a field", f"{clew.api}/api/v1/fields/step/values"),
        ("export of all traces", f"{clew.api}/api/v1/export/traces"),
        ("PromQL: 500,000 series", f"{prom}/query?query=many&time={moment}"),
        ("PromQL: sum of them", f"{prom}/query?query=sum(many)&time={moment}"),
        ("PromQL: their names", f"{prom}/series?match[]=many&start={moment - 60}&end={moment + 60}"),
        ("metrics, their names", f"{clew.api}/api/v1/metrics"),
    ]


def latencies(clew, seconds):
    session, times, end = requests.Session(), [], time.monotonic() + seconds
    number = 1 << 40
    while time.monotonic() < end:
        number += 1
        body = field(1, resource("small") + field(2, span(f"{number:032x}", number, 0, time.time_ns())))
        started = time.monotonic()
        send(clew, session, "/v1/traces", body)
        times.append((time.monotonic() - started) * 1000)
    times.sort()
    return statistics.median(times), times[int(len(times) * 0.99)], len(times)


def intake_beside_questions(clew, askers, moment, seconds=20):
    idle = latencies(clew, seconds)
    stopping = threading.Event()
    urls = [url for _, url in heavy(clew, moment)]

    def keep_asking(number):
        chance = random.Random(number)
        while not stopping.is_set():
            ask(chance.choice(urls), [])

    threads = [threading.Thread(target=keep_asking, args=(number,), daemon=True) for number in range(askers)]
    for thread in threads:
        thread.start()
    time.sleep(2)
    busy = latencies(clew, seconds)
    stopping.set()
    for name, (median, p99, count) in [("idle", idle), (f"beside {askers} askers", busy)]:
        print(f"| {name} | {median:.2f} | {p99:.2f} | {count} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in [("spans", 1_000_000), ("prompts", 3_000), ("series", 500_000), ("askers", 12)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clew = Clew(f"{folder}/data").start()
        try:
            print(f"idle: {peak(clew):.0f} MiB", flush=True)
            for store, count in [(store_trace, arguments.spans), (store_prompts, arguments.prompts), (store_series, arguments.series)]:
                reset_peak(clew)
                store(clew, count)
                print(f"{store.__name__} {count}: peak {peak(clew):.0f} MiB", flush=True)
            moment = time.time()
            clew.stop()
            clew.start()
            wait_until(clew.is_ready)
            print("| question | peak MiB | answers | largest, MB | slowest, s |\n|---|---|---|---|---|", flush=True)
            for name, url in heavy(clew, moment):
                question(clew, name, url, arguments.askers)
            print("| intake | median ms | p99 ms | requests |\n|---|---|---|---|", flush=True)
            intake_beside_questions(clew, arguments.askers, moment)
        finally:
            clew.stop()


if __name__ == "__main__":
    main()
