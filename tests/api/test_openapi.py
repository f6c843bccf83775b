"""The API's description: whole, valid, and what the gateway really does."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from api.app import create_app
from api.checks import CHECKS
from api.converter import structure, structure_given
from api.operation import OPERATIONS
from api.schemas import SCHEMAS
from tests.api.stage import Stage

Json = dict[str, Any]

# What is no part of the API: a page, its style, the description itself, WebSockets, a sandbox's phones.
_APART = re.compile(
    r"/|/(docs(/reference\.css)?|openapi\.json|ui/.*|static/.*|api/ws|api/tree/ws|api/loopback/.*)"
)


@pytest.fixture
async def document(stage: Stage) -> Json:
    async with stage.client_with(None) as client:
        answer = await client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    found: Json = answer.json()
    return found


async def test_the_description_is_valid_openapi_3_1(document: Json) -> None:
    assert document["openapi"].startswith("3.1")
    validate(document)


async def test_every_route_is_described(stage: Stage, document: Json) -> None:
    declared = {(each.method, rule) for each in OPERATIONS for rule in each.rules}
    app = create_app(stage.services)
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            assert (method, rule.rule) in declared or _APART.fullmatch(rule.rule), f"{method} {rule.rule}"
    assert sum(map(len, document["paths"].values())) == len(declared)


def test_every_kind_of_value_has_a_schema() -> None:
    assert [kind for kind in CHECKS if kind not in SCHEMAS] == []


async def test_operations_have_names_of_their_own_and_say_what_they_do(document: Json) -> None:
    operations = [each for methods in document["paths"].values() for each in methods.values()]
    names = [each["operationId"] for each in operations]
    assert sorted(names) == sorted(set(names))
    assert [each["operationId"] for each in operations if not each["summary"]] == []


async def test_what_may_go_wrong_is_told_with_its_codes(document: Json) -> None:
    answers = responses(document, document["paths"]["/api/messages/text"]["post"])
    assert "`rate_limited`" in answers["429"]["description"]
    assert "`idempotency_in_progress`" in answers["409"]["description"]
    assert set(answers["401"]["content"]) == {"application/problem+json"}
    assert "security" not in document["paths"]["/api/messages/text"]["post"]
    assert document["paths"]["/healthz"]["get"]["security"] == []


async def test_a_field_says_what_its_class_and_kind_say(document: Json) -> None:
    text = document["components"]["schemas"]["TextDraft"]
    assert text["additionalProperties"] is False
    assert "message" in text["required"]
    assert "to" not in text["required"]
    assert text["properties"]["clientRef"]["description"] == "Comes back in every event about the message."


async def test_the_page_shows_every_operation_without_scripts(stage: Stage, document: Json) -> None:
    async with stage.client_with(None) as client:
        page = await client.get("/docs")
        style = await client.get("/docs/reference.css")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<script" not in page.text
    assert set(re.findall(r'(?:src|href)="([^"#]*)"', page.text)) == {"/docs/reference.css", "/openapi.json"}
    assert style.headers["content-type"].startswith("text/css")
    for methods in document["paths"].values():
        for each in methods.values():
            shown = f'id="{each["operationId"]}"' in page.text
            assert shown != each["operationId"].endswith("_of_session")
    targets = set(re.findall(r'href="#([^"]*)"', page.text))
    assert targets <= set(re.findall(r'id="([^"]*)"', page.text)), "no link leads nowhere"


async def test_answers_are_what_the_description_says(stage: Stage, document: Json) -> None:
    """Those of the routes that look into the gateway only, each asked once."""
    await (await stage.session("ana")).aclose()
    for path, methods in document["paths"].items():
        asks_whatsapp = "502" in methods.get("get", {}).get("responses", {})
        if "get" in methods and not asks_whatsapp and "{" not in path.replace("{session_id}", ""):
            headers = {} if "{session_id}" in path else {"x-session-id": "ana"}
            answer = await stage.client.get(path.replace("{session_id}", "ana"), headers=headers)
            check(document, methods["get"], answer)


def responses(document: Json, operation: Json) -> Json:
    """An operation's answers by status, those that are described once for many in their places."""
    shared = document["components"]["responses"]
    return {
        status: shared[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
        for status, answer in operation["responses"].items()
    }


def check(document: Json, operation: Json, answer: httpx.Response) -> None:
    name = f"{operation['operationId']}: {answer.status_code} {answer.text[:200]}"
    assert str(answer.status_code) in operation["responses"], name
    content = responses(document, operation)[str(answer.status_code)].get("content", {})
    kind = answer.headers["content-type"].partition(";")[0]
    assert kind in content, name
    if schema := content[kind].get("schema"):
        assert list(problems(document, schema, json.loads(answer.content))) == [], name


async def test_examples_are_what_they_are_examples_of(document: Json) -> None:
    """Each fits its schema, and a request's is taken by the gateway's own converter."""
    declared = {(each.method.lower(), rule): each for each in OPERATIONS for rule in each.rules}
    by_path = {
        (method, re.sub(r"<(?:[^:>]+:)?(\w+)>", r"{\1}", rule)): each
        for (method, rule), each in declared.items()
    }
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            name = f"{method} {path}"
            for carried in (operation.get("requestBody", {}), *responses(document, operation).values()):
                for kind, content in carried.get("content", {}).items():
                    if kind == "application/json":
                        assert list(problems(document, content["schema"], content["example"])) == [], name
                    for each in content.get("examples", {}).values():
                        assert list(problems(document, content["schema"], each["value"])) == [], name
            if body := operation.get("requestBody", {}).get("content", {}).get("application/json"):
                taken = by_path[method, path]
                (structure_given if taken.patch else structure)(body["example"], taken.body)


def problems(document: Json, schema: Json, value: Any) -> Iterator[str]:
    for each in Draft202012Validator({**schema, "components": document["components"]}).iter_errors(value):
        yield each.message
