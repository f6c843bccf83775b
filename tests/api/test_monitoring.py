"""The table in docs/operations.md, the dashboard and the alerts: all speak of metrics that there are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import frozen
from prometheus_client import Metric

from api.metrics.collector import Metrics
from api.stats import Stats
from runtime import Supervisor
from tests.api.stage import Stage

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "terzetto.json").read_text())
ALERTS = (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text()

OF_PROMETHEUS = {"instance", "job"}  # labels that it adds
VARIABLE = re.compile(r"\$\{?(\w+)\}?")


@frozen
class Query:
    """A PromQL expression, and the labels that its place speaks of."""

    place: str
    text: str
    shown: frozenset[str]

    @property
    def selectors(self) -> list[tuple[str, list[str]]]:
        """Each metric that is selected, with the labels it is selected by."""
        found = re.findall(r"\b((?:terzetto|process|python)_\w+)(?:\{(.*?)\})?", self.text)
        return [(name, re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", by)) for name, by in found]

    @property
    def grouping(self) -> set[str]:
        """The labels that anything is grouped or matched by."""
        return {
            label.strip()
            for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", self.text)
            for label in labels.split(",")
        }


def panels() -> list[dict[str, Any]]:
    return list(DASHBOARD["panels"])


def dashboard_queries() -> Iterator[Query]:
    for panel in panels():
        for target in panel.get("targets", ()):
            legend = frozenset(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            yield Query(panel["title"], target["expr"], legend)


def alerts() -> dict[str, str]:
    """Each alert's text, by its name."""
    _, *found = re.split(r"^ +- alert: ", ALERTS, flags=re.MULTILINE)
    return {name: text for name, _, text in (each.partition("\n") for each in found)}


def alert_queries() -> Iterator[Query]:
    for name, text in alerts().items():
        expression = re.search(r"expr:(.*?)\n +(?:for|labels):", text, re.DOTALL)
        assert expression, name
        yield Query(name, expression[1], frozenset(re.findall(r"\$labels\.(\w+)", text)))


def labels_of(metric: Metric) -> list[str]:
    return list(getattr(metric, "_labelnames", ()))


@pytest.fixture
def metrics() -> list[Metric]:
    """All that there are, without any samples that take a running gateway."""

    async def collect() -> list[Metric]:
        return list(Metrics(version="1", root=Supervisor(), stats=Stats()).registry.collect())

    return trio.run(collect)


@pytest.fixture
def samples(metrics: list[Metric]) -> dict[str, set[str]]:
    """The names of samples, with their labels."""
    found: dict[str, set[str]] = {}
    for metric in metrics:
        labels = set(labels_of(metric))
        match metric.type:
            case "counter":
                found[f"{metric.name}_total"] = labels
            case "histogram":
                found |= {f"{metric.name}_sum": labels, f"{metric.name}_count": labels}
                found[f"{metric.name}_bucket"] = labels | {"le"}
            case _:
                found[metric.name] = labels
    return found


async def test_what_is_served_is_what_is_described(stage: Stage, metrics: list[Metric]) -> None:
    text = (await stage.client.get("/metrics", headers={"accept": "application/openmetrics-text"})).text
    described = re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE)
    assert described == [(metric.name, metric.documentation) for metric in metrics]


def test_names_follow_the_conventions_of_prometheus(metrics: list[Metric]) -> None:
    for metric in metrics:
        if metric.name.startswith("terzetto_"):
            assert re.fullmatch(r"terzetto(_[a-z]+)+", metric.name)
            assert metric.documentation.endswith("."), metric.name
            if metric.type == "histogram":
                assert metric.name.endswith(("_seconds", "_writes")), metric.name


def test_the_table_in_the_documentation_names_every_metric(metrics: list[Metric]) -> None:
    rows = []
    for metric in metrics:
        if metric.name.startswith("terzetto_"):
            name = f"{metric.name}_total" if metric.type == "counter" else metric.name
            labels = ", ".join(labels_of(metric))
            rows.append(f"| `{name}` | {metric.type} | {labels} | {metric.documentation} |")
    written = [line for line in OPERATIONS.splitlines() if line.startswith("| `terzetto_")]
    assert written == rows, "the table should be\n" + "\n".join(rows)


@pytest.mark.parametrize("queries", [dashboard_queries, alert_queries])
def test_every_query_asks_for_what_there_is(queries: Any, samples: dict[str, set[str]]) -> None:
    for query in queries():
        assert query.selectors, query.place
        known = set(OF_PROMETHEUS)
        for name, by in query.selectors:
            assert name in samples, f"{query.place}: {name}"
            known |= samples[name]
            assert set(by) <= samples[name] | OF_PROMETHEUS, f"{query.place}: {name}"
        assert query.grouping <= known, query.place
        # What an aggregation leaves out cannot be shown.
        assert query.shown <= (query.grouping or known), query.place


def test_no_metric_is_left_out_of_the_dashboard(metrics: list[Metric]) -> None:
    selected = {name for query in dashboard_queries() for name, _ in query.selectors}
    shown = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in selected}
    assert {metric.name for metric in metrics if metric.name.startswith("terzetto_")} - shown == set()


def test_the_dashboard_has_its_rows_and_variables_and_no_panels_over_each_other() -> None:
    assert [panel["title"] for panel in panels() if panel["type"] == "row"] == [
        *("Overview", "Sessions", "Messages", "Storage"),
        *("Actors", "Cells", "HTTP", "Webhooks", "Files", "Nodes"),
    ]
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert variables == {"datasource", "instance", "session"}
    used = {name for query in dashboard_queries() for name in VARIABLE.findall(query.text)}
    assert used <= variables | {"__rate_interval"}
    assert len({panel["id"] for panel in panels()}) == len(panels())
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_alert_is_explained() -> None:
    explained = re.findall(r"^\| `(Terzetto\w+)` \|", OPERATIONS, re.MULTILINE)
    assert explained == list(alerts())
