"""Starts the real `clew` binary on free ports, asks it questions, and stops it."""

import itertools
import os
import random
import signal
import socket
import subprocess
import time

import requests

BINARY = os.environ.get("CLEW_BIN", "target/release/clew")


# Below those that the system gives to outgoing connections: none of them takes a port before its server does.
PORTS = itertools.cycle(random.sample(range(12_000, 32_000), 20_000))


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count):
    """Ports that nobody listens on, each given once."""
    return list(itertools.islice(filter(is_free, PORTS), count))


# Machines that do other work as well take so many times as long.
PATIENCE = 3


def wait_until(condition, seconds=20, message="condition"):
    """Polls until `condition()` is truthy and returns what it gave; fails when it never is."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{message} did not come true within {PATIENCE} times {seconds} s"
        time.sleep(0.02)


class Clew:
    """One server with its own ports and data directory."""

    def __init__(self, directory, extra=(), environment=None, limits=None):
        self.directory = directory
        # Commands of the shell that bound what the server may use: `ulimit -n 256`.
        self.limits = limits
        self.extra = list(extra)
        self.environment = environment or {}
        self.grpc, self.http, self.query, self.prometheus = free_ports(4)
        self.process = None

    @property
    def api(self):
        return f"http://127.0.0.1:{self.query}"

    @property
    def otlp_http(self):
        return f"http://127.0.0.1:{self.http}"

    def start(self):
        command = [
            BINARY, "serve", "--data-directory", str(self.directory),
            "--otlp-grpc-address", f"127.0.0.1:{self.grpc}",
            "--otlp-http-address", f"127.0.0.1:{self.http}",
            "--query-address", f"127.0.0.1:{self.query}",
            "--prometheus-address", f"127.0.0.1:{self.prometheus}" if self.prometheus else "none", *self.extra,
        ]
        if self.limits:
            command = ["sh", "-c", f'{self.limits} && exec "$@"', "sh", *command]
        self.log = open(f"{self.directory}.log", "ab")
        self.process = subprocess.Popen(
            command, stdout=self.log, stderr=self.log, env={**os.environ, **self.environment}
        )
        wait_until(self.is_ready, 30, "server is ready")
        return self

    def is_ready(self):
        assert self.process.poll() is None, f"clew ended with {self.process.returncode}: {self.log_text()[-3000:]}"
        try:
            return requests.get(f"{self.api}/api/v1/status", timeout=2).json().get("ready")
        except (requests.RequestException, ValueError):
            return False

    def log_text(self):
        with open(f"{self.directory}.log", errors="replace") as file:
            return file.read()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """A normal stop; returns the exit code."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode if self.process else None

    def get(self, path, **parameters):
        answer = requests.get(self.api + path, params=parameters, timeout=60)
        assert answer.status_code == 200, f"{answer.status_code} {path}: {answer.text[:500]}"
        return answer.json()

    def promql(self, query, **parameters):
        """What an expression answers through Prometheus' API: the list of its series, or of its samples."""
        path = "query_range" if "start" in parameters else "query"
        answer = requests.get(
            f"http://127.0.0.1:{self.prometheus}/api/v1/{path}", params={"query": query, **parameters}, timeout=60
        )
        assert answer.status_code == 200, f"{answer.status_code} {query}: {answer.text[:500]}"
        return answer.json()["data"]["result"]

    def post(self, path, body):
        """Sends OTLP's JSON."""
        answer = requests.post(self.otlp_http + path, json=body, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def trace(self, trace_id):
        """The trace in Jaeger's form, or None."""
        answer = requests.get(f"{self.api}/api/traces/{trace_id}", timeout=60)
        return answer.json()["data"][0] if answer.status_code == 200 else None
