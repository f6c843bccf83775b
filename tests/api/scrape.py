"""What /metrics said, sample by sample."""

from collections.abc import Mapping

import httpx
from attrs import frozen
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain


@frozen
class Scrape:
    """What /metrics said."""

    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    def __call__(self, name: str, **labels: str) -> float:
        return self.samples[f"terzetto_{name}", frozenset(labels.items())]

    def values(self, name: str, label: str) -> set[str]:
        """The values that a label has among the samples of this name."""
        return {dict(labels)[label] for sample, labels in self.samples if sample == f"terzetto_{name}"}


def read(answer: httpx.Response) -> Scrape:
    """The samples, each of which is there once."""
    assert answer.status_code == 200, answer.text
    openmetrics = answer.headers["content-type"].startswith("application/openmetrics-text")
    families = (parse_openmetrics if openmetrics else parse_plain)(answer.text)
    samples = [sample for family in families for sample in family.samples]
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples)
    return Scrape(found)
