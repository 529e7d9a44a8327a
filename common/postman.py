"""The OpenAPI document as a Postman collection (2.1): a folder per resource, `{{baseUrl}}` and `{{apiKey}}` as variables. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

PREFIX = "/api/v1/"
_METHODS = ("get", "post", "put", "patch", "delete")
_TYPED = {  # what a person would type into a body, by the name of the field
    "amount": 100.50,
    "currencyCode": "MYR",
    "paymentTypeId": "fpx",
    "reason": "returned",
    "url": "https://shop.example/hooks",
    "name": "server",
    "scopes": ["transaction:read"],
}


def postman_collection(document: Mapping[str, Any]) -> dict[str, Any]:
    """The collection of all routes below /api/v1/, in the order of the document."""
    folders: dict[str, list[dict[str, Any]]] = {}
    for path, method, operation in _operations(document):
        resource = path.removeprefix(PREFIX).split("/")[0]
        folders.setdefault(resource, []).append(_item(path, method, operation, document))
    return {
        "info": {
            "name": document["info"]["title"],
            "description": "Set the variables baseUrl and apiKey. Made from /api/schema/ by manage.py export_postman.",
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "auth": {
            "type": "apikey",
            "apikey": [
                {"key": "key", "value": "X-API-Key"},
                {"key": "value", "value": "{{apiKey}}"},
                {"key": "in", "value": "header"},
            ],
        },
        "variable": [{"key": "baseUrl", "value": "http://127.0.0.1:8000"}, {"key": "apiKey", "value": ""}],
        "item": [{"name": resource, "item": items} for resource, items in folders.items()],
    }


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, operations in document["paths"].items():
        if path.startswith(PREFIX):
            for method in _METHODS:
                if method in operations:
                    yield path, method, operations[method]


def _item(path: str, method: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    given = operation.get("parameters", [])
    route = re.sub(r"\{(\w+)\}", r":\1", path)
    headers = [_header(one["name"]) for one in given if one["in"] == "header"]
    request: dict[str, Any] = {
        "method": method.upper(),
        "description": operation.get("description", ""),
        "header": headers,
        "url": {
            "raw": "{{baseUrl}}" + route,
            "host": ["{{baseUrl}}"],
            "path": route.strip("/").split("/"),
            "variable": [{"key": one["name"], "value": ""} for one in given if one["in"] == "path"],
            "query": [
                {"key": one["name"], "value": "", "disabled": not one.get("required", False)}
                for one in given
                if one["in"] == "query"
            ],
        },
    }
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        headers.append({"key": "Content-Type", "value": "application/json"})
        request["body"] = {"mode": "raw", "raw": json.dumps(_example(body["schema"], document), indent=2)}
    return {"name": operation["operationId"], "request": request}


def _header(name: str) -> dict[str, Any]:
    """A fresh key for each request; the other headers are there to be switched on."""
    if name == "Idempotency-Key":
        return {"key": name, "value": "{{$guid}}"}
    return {"key": name, "value": "", "disabled": True}


def _example(schema: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a body that have to be there, and of the others those that make it plain."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    required = schema.get("required", [])
    return {
        name: _TYPED.get(name, "")
        for name in schema.get("properties", {})
        if name in required or (required and name in _TYPED)
    }
