"""What an engine server measures of its jobs and devices, in Prometheus' text format. Needs the extra `metrics`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

_WAITS = (0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
_RUNS = (0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800)


class Metrics:
    """Of one engine server. Labels have few values: devices, endpoints, and how a job ended; never an id or a text."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._now = _Now()
        self._registry.register(self._now)
        ProcessCollector(registry=self._registry)
        self._waits = Histogram(
            "acestep_job_wait_seconds",
            "From a job's submit to its first attempt.",
            buckets=_WAITS,
            registry=self._registry,
        )
        self._runs = Histogram(
            "acestep_job_run_seconds",
            "Of one attempt, with writing lyrics, reading the source and storing the song.",
            ["endpoint"],
            buckets=_RUNS,
            registry=self._registry,
        )
        self._attempts = Counter(
            "acestep_attempts",
            "Attempts that have ended here: song, failed, cancelled, or interrupted (the job waits again).",
            ["result"],
            registry=self._registry,
        )
        self._steps = Counter(
            "acestep_steps", "Steps of songs, as each job's log counts them.", ["device"], registry=self._registry
        )

    def began(self, waited: float) -> None:
        """A job's first attempt has begun, so many seconds after its submit."""
        self._waits.observe(max(0.0, waited))

    def stepped(self, device: str) -> None:
        """Called from any thread."""
        self._steps.labels(device).inc()

    def ended(self, endpoint: str, result: str, seconds: float) -> None:
        """An attempt has ended after so many seconds, as `song`, `failed`, `cancelled` or `interrupted`."""
        self._runs.labels(endpoint).observe(seconds)
        self._attempts.labels(result).inc()

    def text(
        self, accept: str, counts: Mapping[str, Any] | None, devices: Sequence[Mapping[str, Any]]
    ) -> tuple[bytes, str]:
        """All values, and their content type, for a reader who accepts `accept`.

        `counts` are the jobs of the queue by state, None where its database does not answer; `devices` are those of
        `Workers.measured`.
        """
        self._now.counts, self._now.devices = counts, devices
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


class _Now(Collector):
    """What is known when somebody asks, and need not be counted."""

    def __init__(self) -> None:
        self.counts: Mapping[str, Any] | None = None
        self.devices: Sequence[Mapping[str, Any]] = ()

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily(
            "acestep_queue_up", "Whether the queue's database answers.", value=float(self.counts is not None)
        )
        jobs = GaugeMetricFamily(
            "acestep_jobs", "Jobs of the whole queue, of all engine servers that share it.", labels=["state"]
        )
        for state in ("queued", "running"):
            if self.counts is not None:
                jobs.add_metric([state], self.counts[state])
        yield jobs
        yield self._of_devices(GaugeMetricFamily, "up", "Whether the device can play a job.")
        yield self._of_devices(GaugeMetricFamily, "jobs", "Jobs that the device works on.")
        yield self._of_devices(CounterMetricFamily, "restarts", "How often the device's process has been replaced.")
        memory = GaugeMetricFamily(
            "acestep_device_memory_bytes", "Of the device's process, and of its GPU.", labels=["device", "kind"]
        )
        for device in self.devices:
            for kind, size in device["memory"].items():
                memory.add_metric([device["device"], kind], size)
        yield memory

    def _of_devices(
        self, family: type[GaugeMetricFamily | CounterMetricFamily], name: str, meaning: str
    ) -> GaugeMetricFamily | CounterMetricFamily:
        metric = family(f"acestep_device_{name}", meaning, labels=["device"])
        for device in self.devices:
            metric.add_metric([device["device"]], float(device[name]))
        return metric
