"""Configuration of the documentation site."""

import importlib
import inspect
from pathlib import Path

import gymnasium
from gymnasium.envs.registration import EnvSpec
from sphinx.application import Sphinx

import driftrec
import driftrec.envs  # registers the environments

project = "driftrec"
author = "driftrec contributors"
copyright = f"2026, {author}"
version = release = driftrec.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
html_theme = "furo"
html_title = f"driftrec {version}"
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# `name` in a docstring is code, as in Markdown.
default_role = "literal"
autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_format = "short"
autodoc_typehints_description_target = "documented"
autodoc_type_aliases = {"Array": "Array"}
napoleon_numpy_docstring = False
napoleon_use_ivar = True
# The sections of an environment's specification, beside those of Google style.
napoleon_custom_sections = [
    "Description",
    "Action space",
    "Observation space",
    "Rewards",
    "Starting state",
    "Episode end",
    "Arguments",
    "Drift",
    "Users",
    "Catalogue",
    "Version history",
]

# The build is strict on our own names. Those of other libraries would need their
# inventories from the network, on which a build must not depend; type variables,
# of one letter, have no page.
nitpick_ignore_regex = [(r"py:.*", r"(?!driftrec).*"), (r"py:.*", r".*\.[A-Z]")]


def environment_page(name: str, spec: EnvSpec) -> str:
    """The page of one registered id: how to make it, then its class's specification."""
    module, _, attribute = str(spec.entry_point).partition(":")
    made = getattr(importlib.import_module(module), attribute)
    directive = "autoclass" if inspect.isclass(made) else "autofunction"
    arguments = "".join(f"* `{key}` = `{value!r}`\n" for key, value in spec.kwargs.items())
    preset = f"The id stands for these arguments:\n\n{arguments}\n" if arguments else ""
    return f"""# {name}

```python
import gymnasium

env = gymnasium.make("driftrec.envs:{name}")
users = gymnasium.make_vec("driftrec.envs:{name}", num_envs=256)
```

{preset}```{{eval-rst}}
.. {directive}:: {module}.{attribute}
   :no-index:
```
"""


def write_environment_pages(app: Sphinx) -> None:
    """Writes a page for every registered id before the pages are read."""
    folder = Path(app.srcdir) / "environments" / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    for name, spec in gymnasium.registry.items():
        if name.startswith("DriftRec/"):
            page = folder / f"{name.partition('/')[2]}.md"
            page.write_text(environment_page(name, spec), encoding="utf-8")


def keep_colons(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Puts an empty comment before an attribute's docstring.

    Napoleon would read "text: more" on the first line as a type and its description.
    """
    if what in {"attribute", "data", "property"}:
        lines[:0] = ["..", ""]


def setup(app: Sphinx) -> None:
    """Hooks the environment pages in, and the colons ahead of napoleon's turn."""
    app.connect("builder-inited", write_environment_pages)
    app.connect("autodoc-process-docstring", keep_colons, priority=400)
