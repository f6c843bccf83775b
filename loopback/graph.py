"""GraphQL-like requests (`w:mex`): a number names the query, and JSON goes in and out."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from loopback.accounts import Account, Device
from loopback.answers import Refused
from loopback.wire.node import Node

__all__ = ["Graph", "GraphError", "Query"]

Query = Callable[[Account, dict[str, Any]], dict[str, Any]]  # variables in, data out


class GraphError(Exception):
    """A query is answered with an error of its own."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Graph:
    """Answers queries by their numbers, which belong to the clients' versions."""

    def __init__(self, queries: Mapping[str, Query]) -> None:
        self._queries = queries

    def answer(self, account: Account, device: Device, iq: Node) -> Node:
        """Answer one query. Raises Refused."""
        del device
        asked = iq.child("query")
        query = self._queries.get(asked.attr("query_id") or "") if asked is not None else None
        if asked is None or query is None:
            raise Refused(501, "feature-not-implemented")
        answer: dict[str, Any]
        try:
            variables = json.loads(asked.data or b"{}").get("variables") or {}
            answer = {"data": query(account, variables)}
        except GraphError as error:
            extensions = {"error_code": error.code, "is_retryable": False, "severity": "CRITICAL"}
            answer = {"data": None, "errors": [{"message": str(error), "extensions": extensions}]}
        except (ValueError, AttributeError, KeyError) as malformed:
            raise Refused(400, "bad-request") from malformed
        return Node("result", {}, json.dumps(answer))
