"""The network's control: an HTTP API on loopback by which other processes move phones and ask for faults.

JSON in camelCase, errors as `application/problem+json`, a bearer token on every call. Each module holds the
routes of one matter; `problems` refuses, `shown` is how things are shown.
"""

from loopback.control.application import control

__all__ = ["control"]
