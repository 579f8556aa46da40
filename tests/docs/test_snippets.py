"""Python blocks of every page: what they import is there, and those that take seconds run."""

import ast
import sys
from pathlib import Path
from types import ModuleType

import pytest

from driftrec.agents.testing import check_policy

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    if not {"generated", "_build"} & set(path.parts)
    and path.name != "recsim-ng.md"
    and "```python\n" in path.read_text(encoding="utf-8")
)
"""The page on recsim-ng is run by `tests/recsim_ng`, which has what it imports."""

QUICK = ["docs/environments/index.md", "docs/learners/pretrained.md"]
"""Pages whose blocks run as they stand; `test_own_users` has one more. Others train for minutes,
or read a log of the reader's."""


def test_the_pages_with_code_are_found() -> None:
    assert {"README.md", "docs/guide/own-users.md", *QUICK} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_sound_and_imports_what_there_is(page, blocks) -> None:
    for code in blocks(page, "python"):
        found = [
            node
            for node in ast.walk(ast.parse(code))
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        exec(compile(ast.Module(found, []), page, "exec"), {})


@pytest.mark.parametrize("page", QUICK)
def test_quick_blocks_run(page, run_page) -> None:
    run_page(page)


def test_the_readme_makes_gymnasium_environments(blocks) -> None:
    """Its other block trains for minutes."""
    names = {}
    exec(blocks("README.md", "python")[-1], names)
    assert names["many"].num_envs == 1024
    assert names["env"].observation_space.contains(names["env"].reset(seed=0)[0])


def test_the_method_of_the_guide_keeps_to_the_contract(blocks, tmp_path) -> None:
    module = ModuleType("driftrec_guide")
    exec(blocks("docs/guide/benchmark.md", "python")[0], module.__dict__)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "driftrec_guide", module)
        method = module.Newest()
        check_policy(method.policy(tmp_path))
    assert (method.name, method.trains, method.runs(3)) == ("newest", False, 1)
