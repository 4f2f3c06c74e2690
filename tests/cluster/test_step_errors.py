"""Steps that cannot run: each cause becomes a condition with a remedy, and heals when it is gone."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import yaml
from hack.install.chart import environment
from hack.testbed.cluster import STORE_BUCKET, Json, Team, condition
from hack.testbed.loop import worker_image

from tests.cluster import in_a_pod

PIPELINE = """
kind: Pipeline
metadata: {{name: {name}}}
spec:
  steps:
  - name: only
    image: {image}
    command: [python3, -c, "{program}"]
    outputs: {{note: {{type: file}}}}
    resources: {resources}
    retry: {{limit: {retries}, backoff: 1s}}
"""
GOOD = "import pathlib; pathlib.Path('/fairlead/out/note').write_text('done')"
RUN = """
kind: PipelineRun
metadata: {{name: {name}-by-hand}}
spec: {{pipeline: {name}}}
"""


def start(
    team: Team, name: str, image: str, resources: str = "{cpu: 50m}", retries: int = 0, program: str = GOOD
) -> str:
    """Apply a pipeline of one step and run it by hand; the run's name."""
    team.apply(PIPELINE.format(name=name, image=image, resources=resources, retries=retries, program=program))
    team.apply(RUN.format(name=name))
    return f"{name}-by-hand"


def step_reason(obj: Json) -> str:
    """The reason at the only step."""
    steps = obj.get("status", {}).get("steps", [])
    return steps[0].get("reason", "") if steps else ""


def test_a_run_completes_and_its_output_lies_in_the_store(team: Team) -> None:
    run = start(team, "good", worker_image(team))
    done = team.wait("pipelinerun", run, lambda o: o.get("status", {}).get("phase") == "Completed", 120, "Completed")
    output = done["status"]["steps"][0]["outputs"][0]
    assert output["uri"].startswith(f"s3://{STORE_BUCKET}/")
    assert team.read(output["uri"]) == b"done"


def test_a_step_in_python_has_its_values_and_its_traceback_ends_the_log(team: Team) -> None:
    """The runner in a real pod: a restricted one, with mounted folders and arguments that Kubernetes has expanded."""
    image = worker_image(team)
    made = in_a_pod.in_python.manifest(image)
    body = base64.b64encode(Path(in_a_pod.__file__).read_bytes()).decode()
    write = (
        "import base64, pathlib; to = pathlib.Path('/fairlead/out/code/in_a_pod.py'); to.parent.mkdir(); "
        f"to.write_bytes(base64.b64decode('{body}'))"
    )
    for step in made["spec"]["steps"]:
        step["inputs"]["code"] = {"output": "write.code"}
        step["command"][-1] = step["command"][-1].replace(in_a_pod.__name__, "in_a_pod")
    first = {
        "name": "write",
        "image": image,
        "command": ["python3", "-c", write],
        "outputs": {"code": {"type": "file"}},
    }
    made["spec"]["steps"].insert(0, first)
    team.apply(yaml.safe_dump(made))
    team.apply(RUN.format(name="in-python"))
    run = failed(team, "in-python-by-hand")
    _, tell, fails = run["status"]["steps"]
    assert (tell["phase"], tell["metrics"]) == ("Completed", {"words": "3"})
    note = team.read(tell["outputs"][0]["uri"]).decode()
    assert note == "['$(HOME)', '{{x}}', 'é'] 0.1 ['in_a_pod.py']"
    assert fails["message"].startswith(
        f"the program ended with exit code 1: LookupError: $(HOME): {note} is not in code"
    ), fails


def test_image_that_does_not_exist(team: Team) -> None:
    run = start(team, "typo", "fairlead.local/no-such-image:1")
    seen = team.wait("pipelinerun", run, lambda o: step_reason(o) == "ImagePull", 120, "waiting for its image")
    assert "no-such-image" in seen["status"]["steps"][0]["message"]
    assert seen["status"]["phase"] == "Running"
    team.apply({"kind": "PipelineRun", "metadata": {"name": run}, "spec": {"pipeline": "typo", "cancel": "now"}})
    team.wait("pipelinerun", run, lambda o: o["status"]["phase"] == "Aborted", 60, "Aborted")
    assert not team.cluster.list("pod", team.namespace, f"fairlead.dev/run={run}")


def test_gpu_that_no_node_has(team: Team) -> None:
    run = start(team, "greedy", worker_image(team), resources="{gpu: {count: 1, product: H9000}}")
    seen = team.wait("pipelinerun", run, lambda o: step_reason(o) == "Unschedulable", 60, "Unschedulable")
    assert "H9000" in seen["status"]["steps"][0]["message"]
    node = team.cluster.dynamic.resources.get(api_version="v1", kind="Node")
    name = node.get().items[0].metadata.name
    old = node.get(name=name).metadata.labels.to_dict()["nvidia.com/gpu.product"]
    patch = {"metadata": {"labels": {"nvidia.com/gpu.product": "H9000"}}}
    node.patch(name=name, body=patch, content_type="application/merge-patch+json")
    try:
        team.wait("pipelinerun", run, lambda o: o["status"]["phase"] == "Completed", 120, "Completed")
    finally:
        patch = {"metadata": {"labels": {"nvidia.com/gpu.product": old}}}
        node.patch(name=name, body=patch, content_type="application/merge-patch+json")


def failed(team: Team, run: str) -> Json:
    """The run when it has failed."""
    return team.wait("pipelinerun", run, lambda o: o.get("status", {}).get("phase") == "Failed", 120, "Failed")


def test_retries_and_then_fails_with_the_way_to_its_logs(team: Team) -> None:
    done = failed(team, start(team, "broken", worker_image(team), retries=1, program="raise SystemExit(3)"))
    assert done["status"]["steps"][0]["attempt"] == 2
    assert done["status"]["steps"][0]["reason"] == "UserError"
    assert "kubectl logs" in condition(done, "Succeeded")["message"]


def test_step_without_its_output(team: Team) -> None:
    done = failed(team, start(team, "forgetful", worker_image(team), program="pass"))
    assert "/fairlead/out/note" in done["status"]["steps"][0]["message"]


COURSE = """
kind: Pipeline
metadata: {{name: course}}
spec:
  concurrency: Queue
  params: {{seconds: "0"}}
  steps:
  - name: search
    image: {image}
    command: [python3, -c]
    args:
    - |
      import os, pathlib
      fill = b"x" * (100 << 20)  # with 64Mi it is killed
      pathlib.Path("/fairlead/out/best").write_text("0.05")
      os.makedirs(os.path.dirname(os.environ["FAIRLEAD_METRICS"]), exist_ok=True)
      with open(os.environ["FAIRLEAD_METRICS"], "a") as file:
          file.write('{{"name": "trials", "value": 12}}')
    outputs: {{best: {{type: value}}}}
    resources: {{cpu: 50m, memory: 64Mi}}
    retry: {{limit: 2, backoff: 1s, memory: 256Mi}}
  - name: train
    image: {image}
    needs: [search]
    command: [python3, -c, "import sys, time; time.sleep(float(sys.argv[2])); sys.exit(sys.argv[1] != '0.05')"]
    args: ["{{{{steps.search.best}}}}", "{{{{params.seconds}}}}"]
    if: [{{metric: search.trials, above: "10"}}]
    resources: {{cpu: 50m}}
  - {{name: rare, image: {image}, command: [python3], if: [{{metric: search.trials, above: "100"}}]}}
  - {{name: notify, image: {image}, command: [python3, -c, "pass"], when: always, resources: {{cpu: 50m}}}}
  - {{name: mend, image: {image}, command: [python3, -c, "pass"], when: failed, resources: {{cpu: 50m}}}}
"""


def test_the_course_of_runs_that_wait_for_each_other(team: Team) -> None:
    """Values, conditions, more memory, the steps that come last, a queue, a cancel, and the clock of the queue."""
    team.apply(COURSE.format(image=worker_image(team)))
    first: Json = {"kind": "PipelineRun", "metadata": {"name": "first"}, "spec": {"pipeline": "course"}}
    second: Json = {"kind": "PipelineRun", "metadata": {"name": "second"},
                    "spec": {"pipeline": "course", "params": {"seconds": "600"}}}  # fmt: skip
    team.apply(first)
    team.wait("pipelinerun", "first", lambda o: o.get("status", {}).get("phase") == "Running", 60, "Running")
    team.apply(second)
    told = team.wait("pipelinerun", "second", lambda o: "number 1" in _message(o), 60, "told")["status"]
    assert (told["phase"], told["message"]) == ("Pending", "waits its turn: number 1 in the queue, behind run first")
    done = team.wait("pipelinerun", "first", lambda o: o["status"]["phase"] == "Completed", 240, "Completed")["status"]
    steps = {one["name"]: one for one in done["steps"]}
    assert (steps["search"]["failures"], steps["search"]["memory"]) == (1, "128Mi")
    assert (steps["search"]["outputs"][0]["value"], steps["search"]["metrics"]) == ("0.05", {"trials": "12"})
    assert {name: one["reason"] for name, one in steps.items()} == {
        "search": "", "train": "", "rare": "Skipped", "notify": "", "mend": "Skipped"}  # fmt: skip
    assert steps["notify"]["phase"] == "Completed"
    team.wait("pipelinerun", "second", lambda o: _step(o, "train").get("stage") == "Running", 240, "its program runs")
    second["spec"]["cancel"] = "finally"
    team.apply(second)
    end = team.wait("pipelinerun", "second", lambda o: o["status"]["phase"] == "Aborted", 120, "Aborted")
    assert (_step(end, "train")["phase"], _step(end, "notify")["phase"]) == ("Aborted", "Completed")
    greedy = "{gpu: {count: 1, product: H9000}}"
    team.apply(PIPELINE.format(name="late", image=worker_image(team), resources=greedy, retries=0, program=GOOD)
               + "    queueTimeout: 5s\n")  # fmt: skip
    team.apply(RUN.format(name="late"))
    assert step_reason(failed(team, "late-by-hand")) == "QueueTimeout"


def _message(run: Json) -> str:
    return str(run.get("status", {}).get("message", ""))


def _step(run: Json, name: str) -> Json:
    steps = run.get("status", {}).get("steps", [])
    return next((one for one in steps if one["name"] == name), {})


LOGS = """
kind: Pipeline
metadata: {{name: logs}}
spec:
  steps:
  - name: train
    image: {image}
    command: [python3, -c, {program}]
    outputs: {{plot: {{type: preview}}}}
    resources: {{cpu: 50m}}
    retry: {{limit: 1, backoff: 1s}}
"""
FAILS_ONCE = """
import os, pathlib, sys
print("attempt", os.environ["FAIRLEAD_ATTEMPT"], flush=True)
if os.environ["FAIRLEAD_ATTEMPT"] == "1":
    sys.exit("the first one fails")
out = pathlib.Path("/fairlead/out")
metrics = pathlib.Path(os.environ["FAIRLEAD_METRICS"])
(metrics.parent / "artifacts").mkdir(parents=True)
metrics.write_text('{"name":"rmse","value":24.5,"step":0}\\n{"name":"rmse","value":23.10,"step":1}\\n'
                   '{"name":"loss","value":NaN}\\n')
(metrics.parent / "artifacts" / "late.csv").write_text("carrier,late\\nAA,1\\n")
(out / "plot.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
"""


def test_what_a_step_wrote_and_logged_is_there_when_its_pods_are_gone(team: Team) -> None:
    program = json.dumps(FAILS_ONCE)
    team.apply(LOGS.format(image=worker_image(team), program=program))
    team.apply(RUN.format(name="logs"))
    run = "logs-by-hand"
    done = team.wait("pipelinerun", run, lambda o: o.get("status", {}).get("phase") == "Completed", 180, "Completed")
    team.wait("pipelinerun", run, lambda o: o["status"]["steps"][0].get("log", {}).get("uri"), 30, "its log kept")
    step = done["status"]["steps"][0]
    assert (step["attempt"], step["metrics"], step["outputs"][0]["media"]) == (2, {"rmse": "23.10"}, "image/svg+xml")
    for job in team.cluster.list("job", team.namespace):
        team.cluster.delete("job", job["metadata"]["name"], team.namespace)
    team.cluster.wait_none("pod", team.namespace, f"fairlead.dev/run={run}", 60)
    assert fairlead(team, "logs", f"run/{run}") == "attempt 2\n"
    assert "attempt 1\nthe first one fails" in fairlead(team, "logs", f"run/{run}", "train", "--attempt", "1")
    assert "AA       1" in fairlead(team, "open", f"run/{run}", "train.late.csv")
    (found,) = json.loads(fairlead(team, "artifacts", f"run/{run}", "-o", "json"))["steps"]
    assert {one["name"]: one["type"] for one in found["items"]} == {
        "plot": "preview", "late.csv": "artifact", "metrics.jsonl": "metrics", "log": "log"
    }  # fmt: skip
    assert found["leftOut"] == ["loss that is NaN or infinite"]
    assert "rmse 23.10" in fairlead(team, "get", f"run/{run}")


def fairlead(team: Team, *words: str) -> str:
    """What a command prints."""
    command = [str(Path(sys.executable).parent / "fairlead"), *words, "-n", team.namespace]
    done = subprocess.run(command, env=environment(), check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
