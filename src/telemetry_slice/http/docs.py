"""/docs: the interface as one plain page, made from the OpenAPI document; no script, nothing from elsewhere."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

router = APIRouter()

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}
h2{margin-top:2.5rem;border-bottom:1px solid}section{margin:1.5rem 0}h3{font:600 1rem ui-monospace,monospace}
table{border-collapse:collapse}td,th{text-align:left;padding:.15rem .8rem .15rem 0;vertical-align:top}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}pre{overflow-x:auto}
"""
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#{escape(name)}">{escape(name)}</a>'
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " | ".join(_kind(part) for part in schema[union])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(repr(value))}</code>" for value in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(repr(schema['const']))}</code>"
    if schema.get("type") == "array":
        return f"[{_kind(schema.get('items', {}))}]"
    return escape(str(schema.get("type", "any")))


def _row(name: str, kind: str, note: str) -> str:
    return f"<tr><th><code>{escape(name)}</code></th><td>{kind}</td><td>{escape(note)}</td></tr>"


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [f"<section><h3>{method.upper()} {escape(path)}</h3>"]
    parts.append(f"<p>{escape(operation.get('description') or operation.get('summary', ''))}</p>")
    rows = [
        _row(
            p["name"],
            _kind(p.get("schema", {})),
            p.get("description", "") + (" (required)" if p.get("required") else ""),
        )
        for p in operation.get("parameters", [])
    ]
    if rows:
        parts.append(f"<table>{''.join(rows)}</table>")
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<p>Body ({escape(media)}): {_kind(content.get('schema', {}))}</p>")
    for status, response in operation.get("responses", {}).items():
        kinds = {_kind(content.get("schema", {})) for content in response.get("content", {}).values()}
        if status.startswith("2"):
            parts.append(f"<p>{escape(status)}: {', '.join(sorted(kinds)) or 'nothing'}</p>")
    refused = [status for status in operation.get("responses", {}) if status >= "4"]
    if refused:
        parts.append(f'<p>Refused with: {escape(", ".join(refused))} (<a href="#Problem">Problem</a>)</p>')
    return "".join(parts) + "</section>"


def render(document: dict[str, Any]) -> str:
    """The page for an OpenAPI document."""
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tag = operation.get("tags", ["other"])[0]
            by_tag.setdefault(tag, []).append(_operation(method, path, operation))
    sections = [f"<h2>{escape(tag.capitalize())}</h2>{''.join(operations)}" for tag, operations in by_tag.items()]
    schemas = []
    for name, schema in sorted(document.get("components", {}).get("schemas", {}).items()):
        rows = [
            _row(field, _kind(kind), kind.get("description", ""))
            for field, kind in schema.get("properties", {}).items()
        ]
        body = f"<table>{''.join(rows)}</table>" if rows else f"<p>{_kind(schema)}</p>"
        note = escape(schema.get("description", ""))
        schemas.append(f'<section id="{escape(name)}"><h3>{escape(name)}</h3><p>{note}</p>{body}</section>')
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><h1>{title}</h1>'
        f'<p>{escape(document["info"].get("summary", ""))} For machines: <a href="/openapi.json">/openapi.json</a>.</p>'
        f"{''.join(sections)}<h2>Shapes</h2>{''.join(schemas)}</body></html>"
    )


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """The interface, described."""
    return HTMLResponse(render(request.app.openapi()), headers={"Content-Security-Policy": _POLICY})
