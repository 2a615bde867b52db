"""How Sphinx builds these pages: ``python -m sphinx -W -b html docs docs/_build/html``."""

from __future__ import annotations

from importlib.metadata import version as installed

project = "meshrelay"
copyright = "the meshrelay authors"
author = "the meshrelay authors"
release = version = installed("meshrelay")

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "changes"]
nitpicky = True

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

html_theme = "alabaster"
html_theme_options = {"description": "Checked information when the internet is off", "page_width": "1100px"}
html_copy_source = False
html_show_sphinx = False
