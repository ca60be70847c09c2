import os
import subprocess
import sys
from pathlib import Path

import intermodel
import pytest

SCRIPTS = str(Path(intermodel.__file__).parents[1])


def python(code: str) -> str:
    """What a new interpreter prints."""
    environment = os.environ | {"PYTHONPATH": SCRIPTS, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.slow
def test_networks_are_built_without_importing_the_compiler_which_works_afterwards():
    code = """
import sys, torch
disable = torch.compiler.disable
from intermodel.models.architecture import build
network = build("test_resnet")
print("torch._dynamo" in sys.modules, "sympy" in sys.modules, torch.compiler.disable is disable)
from torch._dynamo.utils import counters, is_compile_supported
from torchvision.ops.roi_align import is_compile_supported as seen
print(seen("cpu") == is_compile_supported("cpu"))
compiled = torch.compile(network, backend="eager")
print(torch.equal(compiled(torch.ones(1, 3, 32, 32)), network(torch.ones(1, 3, 32, 32))))
"""
    assert python(code).split() == ["False", "False", "True", "True", "True"]


@pytest.mark.slow
def test_what_cannot_be_imported_without_the_compiler_is_imported_with_it():
    code = """
import sys, torch
from intermodel.models import timm_import
def refuse(*arguments): raise TypeError
timm_import._leave_alone = refuse
timm = timm_import.import_timm()
print(timm.create_model("test_resnet") is not None, "torch._dynamo" in sys.modules)
"""
    assert python(code).split() == ["True", "True"]
