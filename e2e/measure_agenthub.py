"""What its telemetry costs AgentHub: the same tasks without and with it, by turns. Prints processor time, memory and times.

    CLEW_BIN=… AGENTHUB_BIN=… python e2e/measure_agenthub.py [ROUNDS] [TASKS] [TASKS A SECOND]
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import requests

from clew import Clew, free_ports, wait_until

WAYS = {
    "without": {"OTEL_SDK_DISABLED": "true"},
    "a tenth sampled": {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"},
    "all sampled": {},
}


def used(process):
    """Seconds of processor time of a process so far, and its most memory in MiB."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{process.pid}/status").read_text()
    most = next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(most) / 1024


def is_ready(port):
    try:
        return requests.get(f"http://127.0.0.1:{port}/ready", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def measure(clew, environment, directory, tasks, rate):
    """Works on tasks once; seconds of processor time, memory of each process in MiB, tasks a second, p50 in milliseconds."""
    grpc, *pages = free_ports(4)
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": clew.otlp_http, **environment}

    def start(page, *arguments):
        command = [os.environ["AGENTHUB_BIN"], *arguments, "--health", f"127.0.0.1:{pages[page]}"]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE if page == 2 else subprocess.DEVNULL)

    broker = start(0, "broker", "--listen", f"127.0.0.1:{grpc}", "--data", str(directory / "broker"))
    subscriber = start(1, "subscriber", "--broker", f"http://127.0.0.1:{grpc}", "--data", str(directory / "subscriber"),
                       "--concurrency", "64")
    try:
        wait_until(lambda: is_ready(pages[1]), 30, "the subscriber is ready")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        publisher = start(2, "publisher", "--broker", f"http://127.0.0.1:{grpc}", "--count", str(tasks),
                          "--concurrency", "128", "--rate", str(rate), "--deadline", "120000")
        lines = publisher.communicate()[0].splitlines()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert publisher.returncode == 0, lines[-3:]
        told = next(line for line in map(json.loads, reversed(lines)) if line["msg"] == "tasks answered")
        own = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        both = [used(process) for process in (broker, subscriber)]
    finally:
        for process in (subscriber, broker):
            process.terminate()
            process.wait()
    return own + sum(each[0] for each in both), [each[1] for each in both], tasks / told["seconds"], told["p50_ms"]


def main(rounds=5, tasks=20_000, rate=10_000):
    results = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as directory:
        clew = Clew(Path(directory) / "data").start()
        try:
            for turn in range(rounds):
                for way, environment in WAYS.items():
                    work = Path(directory) / f"{turn} {way}"
                    work.mkdir()
                    results[way].append(measure(clew, environment, work, tasks, rate))
        finally:
            clew.kill()
    least = min(each[0] for each in results["without"])
    for way, runs in results.items():
        processor = min(run[0] for run in runs)
        broker, subscriber = (statistics.median(run[1][which] for run in runs) for which in (0, 1))
        print(f"{way}: processor {processor:.2f} s ({processor / least - 1:+.1%}; median "
              f"{statistics.median(run[0] for run in runs):.2f} s), broker {broker:.0f} MiB, subscriber {subscriber:.0f} MiB, "
              f"{max(run[2] for run in runs):.0f} tasks/s, p50 {min(run[3] for run in runs):.1f} ms", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
