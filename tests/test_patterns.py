"""No regular expression backtracks on foreign text: each reads growing inputs in one pass.

A quadratic pattern needs minutes for these inputs; all others together need seconds. They run in a
separate process, which is ended after SECONDS.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
BYTES = 150_000
SECONDS = 100  # ten times what all of them need, less than one quadratic pattern needs
SINGLES = " \t\n\r0aA-_+=&.,'\"<>[]{}()\\:;/@%*|#"
PAIRS = (
    "0-",
    "a=",
    "&a",
    "a&",
    "\n ",
    "\r\n",
    '\\"',
    "<a",
    "a:",
    "a.",
    "0.",
    ", ",
    "0 ",
    " -",
    "/:",
)
USES = {"fullmatch", "match", "search", "sub", "split", "findall", "finditer"}
NAMES = USES | {"compile"}


def called(node: ast.AST) -> tuple[str, str]:
    """Return the object and the method of a call such as re.sub(…) or NAME.match(…)."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        value = node.func.value
        return value.id if isinstance(value, ast.Name) else getattr(
            value, "attr", ""
        ), node.func.attr
    return "", ""


def patterns() -> Iterator[tuple[str, str | bytes, set[str]]]:
    """Yield every constant pattern of the product: its file, the pattern, its method."""
    trees = {
        path.relative_to(ROOT): ast.parse(path.read_text())
        for path in sorted((ROOT / "billing").rglob("*.py"))
    }
    uses = [
        (getattr(node.value, "id", getattr(node.value, "attr", "")), node.attr)
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
    ]
    for path, tree in trees.items():
        for node in ast.walk(tree):
            target, method = called(node)
            if target != "re" or method not in NAMES:
                continue
            constant = node.args[0] if isinstance(node, ast.Call) and node.args else None
            if not isinstance(constant, ast.Constant) or not isinstance(
                constant.value, str | bytes
            ):
                continue
            names = {
                each.id
                for parent in ast.walk(tree)
                if isinstance(parent, ast.Assign) and parent.value is node
                for each in parent.targets
                if isinstance(each, ast.Name)
            }
            methods = {used for name, used in uses if name in names} & USES
            yield str(path), constant.value, methods or {method} & USES or {"search"}


def try_all() -> None:
    """Search every pattern in every input; the last printed one is the one that hangs."""
    inputs = [
        text * (BYTES // len(text)) + end for text in (*SINGLES, *PAIRS) for end in ("", "\x01")
    ]
    for path, pattern, methods in patterns():
        sys.stdout.write(f"{path} {pattern!r}\n")
        sys.stdout.flush()
        compiled = re.compile(pattern)
        anchored = methods <= {"fullmatch", "match"}
        for text in inputs:
            given = text.encode() if isinstance(pattern, bytes) else text
            for method in methods & {"fullmatch", "match"}:
                getattr(compiled, method)(given)
            if not anchored:
                compiled.search(given)


def test_no_pattern_needs_more_than_one_pass_over_foreign_text() -> None:
    assert len(list(patterns())) > 40
    try:
        done = subprocess.run(
            [sys.executable, "-c", "from tests.test_patterns import try_all; try_all()"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as slow:
        last = (slow.stdout or b"").decode().splitlines()[-1]
        raise AssertionError(last) from None
    assert done.returncode == 0, done.stderr
