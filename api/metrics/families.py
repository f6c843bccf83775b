"""Metric families out of plain numbers; every name begins with `terzetto_`."""

from collections.abc import Mapping
from itertools import accumulate
from typing import TypeAlias

from attrs import define, field
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from runtime import Histogram

Labelled: TypeAlias = Mapping[tuple[str, ...], float]
"""Numbers, each under the values of its labels."""


def gauge(name: str, meaning: str, values: float | Labelled, *labels: str) -> Metric:
    """What goes up and down."""
    family = GaugeMetricFamily(f"terzetto_{name}", meaning, labels=labels)
    for label_values, value in _labelled(values).items():
        family.add_metric(label_values, value)
    return family


def counter(name: str, meaning: str, values: float | Labelled, *labels: str) -> Metric:
    """What only grows; the name ends in `_total`."""
    family = CounterMetricFamily(f"terzetto_{name}", meaning, labels=labels)
    for label_values, value in _labelled(values).items():
        family.add_metric(label_values, value)
    return family


def histogram(
    name: str, meaning: str, values: Histogram | Mapping[tuple[str, ...], Histogram], *labels: str
) -> Metric:
    """Observations by upper bound."""
    family = HistogramMetricFamily(f"terzetto_{name}", meaning, labels=labels)
    for label_values, each in ({(): values} if isinstance(values, Histogram) else values).items():
        bounds = (*(str(float(bound)) for bound in each.bounds), "+Inf")
        buckets = list(zip(bounds, accumulate(each.counts), strict=True))
        family.add_metric(label_values, buckets, each.sum)
    return family


def _labelled(values: float | Labelled) -> Labelled:
    return values if isinstance(values, Mapping) else {(): values}


@define(eq=False)
class Total:
    """The sum of counters that come and go with what they belong to. It does not fall when one goes."""

    _sum: float = 0.0
    _last: Mapping[str, float] = field(factory=dict)

    def of(self, counters: Mapping[str, float]) -> float:
        """The sum, with what each counter has gained since the last time; one that fell began anew."""
        for id_, count in counters.items():
            before = self._last.get(id_, 0)
            self._sum += count - before if count >= before else count
        self._last = counters
        return self._sum
