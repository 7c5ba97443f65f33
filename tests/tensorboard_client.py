"""Asks a running TensorBoard what it shows, over the requests that its own pages make."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

ALL_STATUSES = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]


class Client:
    """A client of one TensorBoard."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def get(self, path: str, **parameters: str) -> Any:
        """Return the JSON of a GET request."""
        return json.loads(self.text(path, **parameters))

    def text(self, path: str, **parameters: str) -> str:
        """Return the text of a GET request."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        with self._open(f"{self._url}data/{path}{query}", timeout=20) as answer:
            return answer.read().decode()

    def hparams(self, path: str, **request: Any) -> Any:
        """Return the JSON of a POST request to the HPARAMS plugin; an HTTP error raises."""
        body = json.dumps({"experimentName": "", **request}).encode()
        url = f"{self._url}data/plugin/hparams/{path}"
        with self._open(urllib.request.Request(url, body, {"Content-Type": "application/json"}), timeout=20) as answer:
            return json.loads(answer.read())

    def experiment(self) -> Any:
        """Return the experiment record, columns in the order of the table."""
        return self.hparams("experiment", hparamsLimit=1000)

    def groups(self, *columns: Mapping[str, Any], statuses: list[str] = ALL_STATUSES, limit: int = 10**6) -> list[Any]:
        """Return the rows of the table."""
        answer = self.hparams(
            "session_groups", allowedStatuses=statuses, colParams=list(columns), startIndex=0, sliceSize=limit
        )
        return answer.get("sessionGroups", [])

    def by_trial(self) -> dict[int, Any]:
        """Return the rows of a single study by their trial's number."""
        return {int(group["name"][6:].partition("@")[0]): group for group in self.groups()}

    def curve(self, run: str, tag: str) -> list[tuple[int, float]]:
        """Return (step, value) of a curve."""
        points = self.get("plugin/scalars/scalars", run=run, tag=tag)
        return [(step, value) for _, step, value in points]


def metrics_of_group(group: Mapping[str, Any]) -> dict[str, float]:
    """Return a row's metrics by "group.tag", or by tag alone."""
    found = {}
    for metric in group.get("metricValues", []):
        name = metric["name"]
        found[".".join(filter(None, (name.get("group"), name["tag"])))] = metric["value"]
    return found


def first_columns(experiment: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """Return the hyperparameters and metrics that the tab shows before anybody ticks a box."""
    names = [info["name"] for info in experiment["metricInfos"][:5]]
    metrics = {".".join(filter(None, (name.get("group"), name["tag"]))) for name in names}
    return {info["name"] for info in experiment["hparamInfos"][:5]}, metrics


def eventually(ask: Callable[[], Any], is_good: Callable[[Any], object] = bool, seconds: float = 20.0) -> Any:
    """Ask until the answer is good, as TensorBoard loads in the background; return the last answer."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if is_good(answer) or time.monotonic() > end:
            return answer
        time.sleep(0.1)
