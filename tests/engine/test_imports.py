"""Packages are imported without what they can do without."""

import subprocess
import sys

from intermodel.engine.imports import without


def in_new_python(code: str) -> list[str]:
    paths = f"import sys; sys.path[:] = {sys.path!r}\n"
    done = subprocess.run([sys.executable, "-c", paths + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_what_can_do_without_a_package_is_imported_without_it(tmp_path, monkeypatch):
    (tmp_path / "rich_or_poor.py").write_text("try:\n    import wave\nexcept ImportError:\n    wave = None\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    with without("wave"):
        import rich_or_poor
    assert rich_or_poor.wave is None
    import wave

    assert wave.__name__ == "wave"


def test_a_loaded_package_stays_loaded():
    before = sys.modules["subprocess"]
    with without("subprocess"):
        import subprocess as inside
    assert inside is before
    assert sys.modules["subprocess"] is before


def test_a_package_comes_back_after_an_error(monkeypatch):
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    try:
        with without("wave"):
            raise KeyError
    except KeyError:
        import wave  # noqa: F401


def test_a_job_draws_without_importing_scipy_and_has_it_when_it_asks():
    code = """
import sys
import numpy
from intermodel.plotting import load_seaborn, model_heat_map, use_style
load_seaborn()
use_style()
figure = model_heat_map(numpy.eye(2), {"a": "A", "b": "B"}, "similarity")
figure.canvas.draw()
print("scipy" in sys.modules)
figure = model_heat_map(numpy.eye(3), {"a": "A", "b": "B", "c": "C"}, "similarity")
print("scipy" in sys.modules)
"""
    assert in_new_python(code) == ["False", "True"]
