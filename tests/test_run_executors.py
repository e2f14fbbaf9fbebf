"""A build on Slurm gives the same bytes as one on a laptop, and an executor that is not there says so in one line."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import orjson

from .engine_running import HEAD, build, built, make

SBATCH = """\
#!{python}
import os, pathlib, re, subprocess, sys
script = pathlib.Path(sys.argv[-1]).read_text()
folder = pathlib.Path(os.environ["FAKE_SLURM"])
number = len(list(folder.glob("*.job"))) + 1
(folder / f"{{number}}.job").write_text(script)
first, last = re.search(r"#SBATCH --array=(\\d+)-(\\d+)", script).groups()
code = '''
import os, subprocess, sys
for task in range({{first}}, {{last}} + 1):
    if os.environ.get("FAKE_LOSES") != str(task):
        subprocess.run(["bash", sys.argv[1]], env={{**os.environ, "SLURM_ARRAY_TASK_ID": str(task)}})
os.remove(sys.argv[2])
'''.replace("{{first}}", first).replace("{{last}}", last)
running = folder / f"{{number}}.running"
running.write_text(re.search(r"--job-name=(\\S+)", script)[1])
out = open(folder / f"{{number}}.log", "w")
job = folder / f"{{number}}.job"
options = dict(stdout=out, stderr=out, start_new_session=True, env={{**os.environ, "SLURM_NODELIST": "one"}})
subprocess.Popen([sys.executable, "-c", code, str(job), str(running)], **options)
print("Submitted batch job", number)
"""
SQUEUE = """\
#!{python}
import os, pathlib, sys
for job in pathlib.Path(os.environ["FAKE_SLURM"]).glob("*.running"):
    if job.read_text() == sys.argv[sys.argv.index("-n") + 1]:
        print(job.stem)
"""
SRUN = '#!/bin/bash\nwhile [[ "$1" == -* ]]; do [[ "$1" == -n ]] && shift; shift; done\nexec "$@"\n'
SCONTROL = "#!/bin/bash\necho one\n"


def fake_slurm(folder: Path) -> dict[str, str]:
    """Programs that run an array job on this machine, and the environment that finds them."""
    programs = folder / "programs"
    programs.mkdir()
    for name, text in (("sbatch", SBATCH), ("squeue", SQUEUE), ("srun", SRUN), ("scontrol", SCONTROL)):
        path = programs / name
        path.write_text(text.format(python=sys.executable) if "{python}" in text else text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    found = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": found, "FAKE_SLURM": str(folder)}


def test_slurm_builds_the_same_bytes_with_one_job_a_round(tmp_path: Path) -> None:
    make(tmp_path / "here")
    make(tmp_path / "there")
    environment = fake_slurm(tmp_path)
    there = built(tmp_path / "there", "--executor", "slurm", **environment)
    here = built(tmp_path / "here", "--workers", "1")
    assert there["build"] == here["build"]
    manifests = [(tmp_path / place / "builds" / "bare" / str(here["build"])) for place in ("here", "there")]
    one, two = ({p.relative_to(m): p.read_bytes() for p in m.rglob("*") if p.is_file()} for m in manifests)
    assert one == two
    jobs = sorted(tmp_path.glob("*.job"))
    assert all("launch_pickled_pipeline" in job.read_text() for job in jobs)
    assert built(tmp_path / "there", "--executor", "slurm", **environment)["reused"]
    assert sorted(tmp_path.glob("*.job")) == jobs


def test_a_slurm_task_that_vanishes_or_fails_is_told(tmp_path: Path) -> None:
    make(tmp_path, HEAD + "    for r in records: raise ValueError(r.text)\n")
    environment = fake_slurm(tmp_path)
    done = build(tmp_path, "--executor", "slurm", code=1, **environment)
    assert "ValueError at ours.py" in done.stderr
    make_whole = (tmp_path / "ours.py").read_text().replace("raise ValueError(r.text)", "yield r")
    (tmp_path / "ours.py").write_text(make_whole)
    done = build(tmp_path, "--executor", "slurm", code=1, **environment, FAKE_LOSES="0")
    assert "ended without a result" in done.stderr
    assert built(tmp_path, "--executor", "slurm", **environment)["reused"] is False


def test_an_executor_that_is_not_there_says_what_it_needs(tmp_path: Path) -> None:
    make(tmp_path)
    only = str(Path(sys.executable).parent)
    assert "needs sbatch" in build(tmp_path, "--executor", "slurm", code=2, PATH=only).stderr
    blocked = tmp_path / "without"
    blocked.mkdir()
    (blocked / "sitecustomize.py").write_text("import sys\nsys.modules['ray'] = None\n")
    done = build(tmp_path, "--executor", "ray", code=2, PYTHONPATH=str(blocked))
    assert "pip install ray" in done.stderr


def test_an_unknown_slurm_setting_is_a_clear_error(tmp_path: Path) -> None:
    make(tmp_path)
    recipe = tmp_path / "recipes" / "bare.yaml"
    recipe.write_text(recipe.read_text() + "run: {executor: slurm, slurm: {partiton: x}}\n")
    assert "partiton" in build(tmp_path, code=2, **fake_slurm(tmp_path)).stderr


def test_the_answer_of_a_build_is_json_alone(tmp_path: Path) -> None:
    make(tmp_path, HEAD + "    print('talk')\n    yield from records\n")
    assert orjson.loads(build(tmp_path, "--workers", "2").stdout)["recipe"] == "bare"
