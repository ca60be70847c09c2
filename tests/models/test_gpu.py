import os
import subprocess
import sys
import time
from pathlib import Path

import intermodel
from intermodel.models.gpu import lease_gpu


def test_a_choice_that_was_made_is_respected(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert lease_gpu([0, 1], tmp_path) is None
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert lease_gpu([], tmp_path) is None


def test_processes_lease_different_gpus_and_a_killed_one_gives_its_back(tmp_path):
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from intermodel.models.gpu import lease_gpu\n"
        "print(lease_gpu([0, 1], Path(sys.argv[1]), poll=0.02), flush=True)\n"
        "time.sleep(60)\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
    environment["PYTHONPATH"] = str(Path(intermodel.__file__).parents[1])

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
        )

    processes = [start(), start()]
    try:
        leased = [int(process.stdout.readline()) for process in processes]
        assert sorted(leased) == [0, 1]
        processes.append(start())
        time.sleep(0.1)
        processes[0].kill()
        assert int(processes[2].stdout.readline()) == leased[0]
    finally:
        for process in processes:
            process.kill()
            process.wait()
