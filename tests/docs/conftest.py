"""Code blocks of the documentation, for tests that run them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)

Blocks = Callable[..., list[str]]


@pytest.fixture(scope="session")
def blocks() -> Blocks:
    """The fenced blocks of a page in its order: of one language, or of all."""

    def found(page: str, language: str = "") -> list[str]:
        pairs = FENCE.findall((ROOT / page).read_text(encoding="utf-8"))
        return [code for kind, code in pairs if language in ("", kind)]

    return found


@pytest.fixture(scope="session")
def run_page(blocks: Blocks) -> Callable[[str], dict[str, Any]]:
    """Runs a page's Python blocks one after the other, and gives what they defined."""

    def ran(page: str) -> dict[str, Any]:
        names: dict[str, Any] = {"__name__": page}
        for number, code in enumerate(blocks(page, "python")):
            exec(compile(code, f"{page}, block {number}", "exec"), names)
        return names

    return ran
