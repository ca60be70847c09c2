import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import intermodel
from intermodel.models.gpu import lease_gpu


def start(code: str, folder: Path) -> subprocess.Popen[str]:
    """A process for which no scheduler has chosen a GPU."""
    environment = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
    environment["PYTHONPATH"] = str(Path(intermodel.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True, env=environment
    )


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
    processes = [start(code, tmp_path), start(code, tmp_path)]
    try:
        leased = [int(process.stdout.readline()) for process in processes]
        assert sorted(leased) == [0, 1]
        processes.append(start(code, tmp_path))
        time.sleep(0.1)
        processes[0].kill()
        assert int(processes[2].stdout.readline()) == leased[0]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_four_processes_never_share_two_gpus(tmp_path):
    """Each tells when it began and ended to use its GPU; on one GPU these spans follow one another."""
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from intermodel.models.gpu import lease_gpu\n"
        "gpu = lease_gpu([0, 1], Path(sys.argv[1]), poll=0.02)\n"
        "begin = time.monotonic()\n"
        "time.sleep(0.4)\n"
        "print(gpu, begin, time.monotonic(), flush=True)\n"
    )
    processes = [start(code, tmp_path) for _ in range(4)]
    spans = {0: [], 1: []}
    for process in processes:
        output, _ = process.communicate(timeout=60)
        gpu, begin, end = output.split()
        spans[int(gpu)].append((float(begin), float(end)))
    assert sum(map(len, spans.values())) == 4
    for used in map(sorted, spans.values()):
        assert used
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(used))


def test_a_child_of_a_finished_job_does_not_keep_its_gpu(tmp_path):
    code = (
        "import subprocess, sys\n"
        "from pathlib import Path\n"
        "from intermodel.models.gpu import lease_gpu\n"
        "gpu = lease_gpu([0], Path(sys.argv[1]), poll=0.02)\n"
        "child = subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL)\n"
        "print(gpu, child.pid, flush=True)\n"
    )
    first = start(code, tmp_path)
    child = int(first.communicate(timeout=60)[0].split()[1])
    try:
        second = start(code, tmp_path)
        gpu, other = second.communicate(timeout=60)[0].split()
        assert gpu == "0"
        os.kill(int(other), signal.SIGKILL)
    finally:
        os.kill(child, signal.SIGKILL)
