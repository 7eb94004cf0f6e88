"""Adds to an application's OpenAPI document the bodies that its routes read by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter

_COMPONENTS = "#/components/schemas/{model}"


def document_bodies(app: FastAPI, bodies: Mapping[tuple[str, str], TypeAdapter[Any]]) -> None:
    """Document request bodies by (path, method)."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        document = plain()
        adapters = [(key, "validation", adapter) for key, adapter in bodies.items()]
        schemas, shared = TypeAdapter.json_schemas(adapters, ref_template=_COMPONENTS)  # type: ignore[arg-type]
        document["components"]["schemas"] |= shared.get("$defs", {})
        for path, method in bodies:
            schema = schemas[(path, method), "validation"]
            content = {"application/json": {"schema": schema}}
            document["paths"][path][method]["requestBody"] = {"required": True, "content": content}
        return document

    app.openapi = openapi  # type: ignore[method-assign]
