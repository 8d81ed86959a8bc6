"""Static files: kept in memory, with hashes in their URLs, and compressed copies."""

import gzip
import hashlib
import json
import mimetypes
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from sanic import Blueprint, Request, raw
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse, empty

from billing.web.kit.access import ANYONE, admits

HERE = Path(__file__).parents[1]
COMPRESSED = {".css", ".js", ".svg"}
YEAR = "public, max-age=31536000, immutable"
DAY = "public, max-age=86400"
blueprint = Blueprint("assets")


class Asset(msgspec.Struct, frozen=True):
    body: bytes
    zipped: bytes  # empty if compression gains nothing
    type: str
    version: str


@cache
def load_assets() -> dict[str, Asset]:
    """Our own files, and those the build copied in. Fails where the build has not run.

    They are read and zipped once in a process, however many applications it serves.
    """
    vendor = HERE / "vendor"
    if not (vendor / "assets.json").exists():
        raise FileNotFoundError(f"{vendor} is empty: run `python hatch_build.py`.")
    copied = json.loads((vendor / "assets.json").read_text())["files"]
    fetched = (vendor / name for name in copied if not name.endswith(".ttf"))  # those are of PDFs
    paths = [*(HERE / "static").iterdir(), *fetched]
    return {path.name: _load(path) for path in sorted(paths)}


def _load(path: Path) -> Asset:
    body = path.read_bytes()
    twin = path.with_name(f"{path.name}.gz")
    zipped = b""
    if path.suffix in COMPRESSED:
        zipped = twin.read_bytes() if twin.exists() else gzip.compress(body, 9, mtime=0)
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    return Asset(body, zipped, kind, hashlib.sha256(body).hexdigest()[:12])


def asset_url(assets: dict[str, Asset], name: str) -> str:
    """Return the URL of an asset; it changes with the content."""
    return f"/assets/{name}?v={assets[name].version}"


@blueprint.get("/assets/<name:str>")
@admits(ANYONE)
async def send_asset(request: Request[Any, Any], name: str) -> HTTPResponse:
    """Send an asset, or 304 if the browser has it."""
    asset: Asset | None = request.app.ctx.site.assets.get(name)
    if asset is None:
        raise NotFound
    tag = f'"{asset.version}"'
    headers = {
        "etag": tag,
        "cache-control": YEAR if request.args.get("v") == asset.version else DAY,
        "vary": "Accept-Encoding",
    }
    if tag in request.headers.get("if-none-match", ""):
        return empty(304, headers)
    if asset.zipped and "gzip" in request.headers.get("accept-encoding", ""):
        return raw(asset.zipped, 200, headers | {"content-encoding": "gzip"}, asset.type)
    return raw(asset.body, 200, headers, asset.type)
