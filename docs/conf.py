"""How Sphinx builds these pages: `sphinx-build -W docs docs/_build/html`. Nothing is downloaded."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).with_name("_ext")))
# What the cells of the tutorials inherit: the commands of this environment, and TensorFlow without its notes at start.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")

from photoz_morph import __version__  # noqa: E402

project = "photoz-morph"
author = "the photoz-morph developers"
copyright = f"2026, {author}"
version = release = __version__

extensions = [
    "numpydoc", "myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx_click",
    "command_help", "config_reference",
]  # fmt: skip
exclude_patterns = ["_build", "_ext", "**.ipynb_checkpoints"]
default_role = "code"
highlight_language = "none"
smartquotes = False  # two hyphens of an option are no dash

autosummary_generate = False
autodoc_typehints = "none"
autodoc_preserve_defaults = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_output_stderr = "remove"  # notes of TensorFlow, progress bars
nb_render_markdown_format = "myst"  # tables
nb_ipywidgets_js = {}  # no scripts from other hosts

# Config class of each chain, whose keys `configuration.md` lists.
config_classes = {
    "photoz": "photoz_morph.photoz.config.PhotozConfig", "morph": "photoz_morph.morph.config.MorphConfig",
    "blend": "photoz_morph.blend.config.BlendConfig",
}

html_theme = "pydata_sphinx_theme"
html_title = "photoz-morph"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_prev_next": True,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {page: [] for page in ("index", "getting_started")}
