"""The OpenAPI document of an application: every body, answer, example, refusal and scope of every route."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter

from features.records import PLAIN, PRINTABLE
from serving.api.problems import MEDIA_TYPE
from serving.auth.routes import Routes

_COMPONENTS = "#/components/schemas/{model}"
_SCHEME = "token"

ANYWHERE = (401, 403, 429, 500, 503)
"""Refusals that may meet any request with a scope."""
OF_PARAMETERS = (400, 422)
"""Refusals of what stands in the query."""
OF_BODIES = (400, 413, 415, 422)
"""Refusals of bodies."""

_CONTROL_FREE = r"^[^\u0000-\u001f\u007f-\u009f]*$"
"""`PRINTABLE`, without the class by name that not every reader of patterns knows."""

_PROBLEM = {
    "type": "object",
    "description": "A problem (RFC 9457). Beside these, it holds the facts of its case, such as `campaign_id`.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "urn:precedence: and the kind of problem, or about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "what happened, where, and what to do next"},
        "request_id": {"type": "string", "description": "as in `X-Request-Id`, and in the service's log"},
        "errors": {
            "type": "array",
            "description": "everything that is wrong with an input",
            "items": {
                "type": "object",
                "required": ["field", "value", "allowed"],
                "properties": {"field": {"type": "string"}, "value": {}, "allowed": {"type": "string"}},
            },
        },
        "retry_after_s": {"type": "integer", "minimum": 1},
    },
}

_FAULT = {"field": "campaigns[0].work_units", "value": 0, "allowed": "must be greater than 0"}
_SAID: Mapping[int, tuple[str, str, str]] = {
    400: ("not-json", "The body is not JSON", "body is '{': must be JSON (EOF while parsing an object)"),
    401: ("token-refused", "A token is needed", "no token was sent: send one as 'Authorization: Bearer TOKEN'"),
    403: ("not-allowed", "The token is not good for this", "this needs a token for operate: 'shop' is for submit"),
    404: ("campaign-unknown", "Unknown campaign", "no campaign 'flash' was submitted"),
    409: ("campaign-conflict", "Conflict", "campaign 'flash' was submitted before with other content"),
    413: ("body-too-large", "The body is too large", "the body has more bytes: at most 67108864 are read"),
    415: ("media-type-unknown", "The body must be JSON", "content-type is 'text/csv': must be application/json"),
    422: ("bad-input", "The input is not valid", "campaigns[0].work_units is 0: must be greater than 0"),
    429: ("asked-too-fast", "Too many requests", "'shop' may ask 600 times a minute: try again in 3 s"),
    500: ("", "Internal Server Error", "the request failed; the service's log has the reason"),
    503: ("not-ready", "Not ready", "the service is starting or overloaded: try again shortly"),
}
_HEADERS: Mapping[int, tuple[str, str]] = {
    401: ("WWW-Authenticate", "the challenge (RFC 6750)"),
    403: ("WWW-Authenticate", "the challenge, with the scope that is needed (RFC 6750)"),
    429: ("Retry-After", "whole seconds to wait"),
}


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What one route takes and gives.

    Attributes
    ----------
    answers : by status, the type and an example.
    refusals : statuses of problems, beside those of `ANYWHERE`.
    body, example : what it reads, None for nothing.
    says : summary and description, where the application has no route of its own to say them.
    """

    answers: Mapping[int, tuple[TypeAdapter[Any], Any]]
    refusals: tuple[int, ...] = ()
    body: TypeAdapter[Any] | None = None
    example: Any = None
    body_required: bool = True
    tagged: bool = False
    says: tuple[str, str] = ("", "")


def document(app: FastAPI, operations: Mapping[tuple[str, str], Operation], scopes: Routes) -> None:
    """Have an application describe its routes by (path, method)."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(plain(), operations, scopes)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(found: dict[str, Any], operations: Mapping[tuple[str, str], Operation], scopes: Routes) -> dict[str, Any]:
    schemas, definitions = _schemas(operations)
    # What routes say of their answers by themselves is replaced, but parameters go on to refer to their own types.
    components = {**found.get("components", {}).get("schemas", {}), **definitions, "Problem": _PROBLEM}
    for unused in ("HTTPValidationError", "ValidationError"):
        components.pop(unused, None)
    for (path, method), operation in operations.items():
        route = found["paths"].setdefault(path, {}).setdefault(method, {})
        _describe(route, (path, method), operation, schemas, scopes)
    found["paths"] |= {path: _probe(path, says, scopes) for path, says in _PROBES.items()}
    scheme = {"type": "http", "scheme": "bearer", "description": "as 'precedence token create' shows it"}
    return {**found, "components": {"schemas": components, "securitySchemes": {_SCHEME: scheme}}}


def _schemas(operations: Mapping[tuple[str, str], Operation]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """The schema of each body and answer, and the definitions they share."""
    adapters: list[Any] = []
    for key, operation in operations.items():
        if operation.body is not None:
            adapters.append(((key, "body"), "validation", operation.body))
        adapters += [((key, status), "serialization", answer) for status, (answer, _) in operation.answers.items()]
    schemas, shared = TypeAdapter.json_schemas(adapters, ref_template=_COMPONENTS)
    definitions = _portable(shared.get("$defs", {}))
    for name in ("Submission", "Task"):
        # The path says which campaign it is about.
        if name in definitions:
            definitions[name]["required"] = [each for each in definitions[name]["required"] if each != "campaign_id"]
    return {key: schema for (key, _), schema in schemas.items()}, definitions


def _portable(schema: Any) -> Any:
    """A schema that every reader understands: without classes of characters by name, and lists by their place."""
    if isinstance(schema, dict):
        if (parts := schema.get("prefixItems")) and all(part == parts[0] for part in parts):
            schema = {**{name: part for name, part in schema.items() if name != "prefixItems"}, "items": parts[0]}
        return {
            name: _CONTROL_FREE if name == "pattern" and part == PRINTABLE else _portable(part)
            for name, part in schema.items()
        }
    return [_portable(part) for part in schema] if isinstance(schema, list) else schema


def _describe(
    route: dict[str, Any], key: tuple[str, str], operation: Operation, schemas: Mapping[Any, Any], scopes: Routes
) -> None:
    path, method = key
    if operation.says[0]:
        route |= {"summary": operation.says[0], "description": operation.says[1], "operationId": path.strip("/")}
    needed = scopes.scope_of(method.upper(), path)
    route["security"] = [] if needed is None else [{_SCHEME: [needed]}]
    route["responses"] = {
        str(status): _answer(status, schemas[key, status], example, tagged=operation.tagged)
        for status, (_, example) in operation.answers.items()
    }
    if operation.tagged:
        route["responses"]["304"] = {"description": "It is as `If-None-Match` says", "headers": _TAGS}
    for status in sorted({*operation.refusals, *ANYWHERE}):
        route["responses"][str(status)] = _refusal(status)
    for parameter in route.get("parameters", ()):
        if parameter["in"] == "path":
            parameter["schema"] |= {"pattern": PLAIN, "minLength": 1, "maxLength": 200}
    if operation.body is not None:
        content = {"schema": schemas[key, "body"], "example": operation.example}
        route["requestBody"] = {"required": operation.body_required, "content": {"application/json": content}}


_PROBES = {
    "/livez": "Whether the process answers",
    "/readyz": "Whether the service does its work; a problem says why not",
    "/metrics": "Metrics, as Prometheus reads them",
}


def _probe(path: str, says: str, scopes: Routes) -> dict[str, Any]:
    needed = scopes.scope_of("GET", path)
    responses = {"200": {"description": "OK", "content": {"text/plain": {"schema": {"type": "string"}}}}}
    responses |= {str(status): _refusal(status) for status in (ANYWHERE if needed else (500, 503))}
    security = [] if needed is None else [{_SCHEME: [needed]}]
    return {"get": {"summary": says, "operationId": path.strip("/"), "security": security, "responses": responses}}


_TAGS = {name: {"schema": {"type": "string"}} for name in ("ETag", "Cache-Control")}


def _answer(status: int, schema: Any, example: Any, *, tagged: bool) -> dict[str, Any]:
    content = {"application/json": {"schema": schema, "example": example}}
    said = {"description": HTTPStatus(status).phrase, "content": content}
    return {**said, "headers": _TAGS} if tagged else said


def _refusal(status: int) -> dict[str, Any]:
    kind, title, detail = _SAID[status]
    example: dict[str, Any] = {
        "type": f"urn:precedence:{kind}" if kind else "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "request_id": "5d2f9c1a7b3e4f60",
    }
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        example["errors"] = [_FAULT]
    content = {"schema": {"$ref": _COMPONENTS.format(model="Problem")}, "example": example}
    refusal: dict[str, Any] = {"description": title, "content": {MEDIA_TYPE: content}}
    if status in _HEADERS:
        name, says = _HEADERS[status]
        refusal["headers"] = {name: {"description": says, "schema": {"type": "string"}}}
    return refusal
