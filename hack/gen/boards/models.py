"""All models: rollouts, what follows a promotion, data, pipelines, versions."""

from __future__ import annotations

from hack.gen.boards import gpus
from hack.gen.boards.deployment import WATCH
from hack.gen.boards.queries import HERE, SPACE, WHO, against, latest
from hack.gen.panels import YES_NO, Board, Panel, Rows, variable


def _many(gauge: str, value: int, *more: str) -> str:
    """Of how many Deployments it has the value."""
    return f"sum({latest(f'fairlead_deployment_{gauge}', WHO, ','.join([HERE, *more]))} == bool {value})"


ROWS: Rows = (
    ("The fleet", (
        Panel("Deployments", "All of them.",
              ((f"count({latest('fairlead_deployment_info')})", ""),), "stat", "none", 4, 4),
        Panel("Live", "A version serves, and none is on its way.",
              ((_many("phase", 1, 'phase="Live"'), ""),), "stat", "none", 4, 4),
        Panel("Held up", "A new version does not go on.",
              ((_many("phase", 1, 'phase="Holding"'), ""),), "stat", "none", 4, 4),
        Panel("Could not be rolled back", "The condition RollbackReady says what is missing.",
              ((_many("rollback_ready", 0), ""),), "stat", "none", 4, 4),
        Panel("Not monitored", "Monitors are asked for, and nothing can be compared.",
              ((_many("monitored", 0), ""),), "stat", "none", 4, 4, needs="monitors"),
        Panel("Pipelines that have given up", "No run starts by itself; kubectl fairlead why pipeline/NAME.",
              ((f"sum({latest('fairlead_pipeline_gave_up', 'namespace, pipeline', SPACE)})", ""),), "stat", "none",
              4, 4),
        Panel("Alarms of monitors", "How many Deployments have one.",
              ((f"sum by (monitor) ({latest('fairlead_deployment_monitor', f'{WHO}, monitor')} == bool 2)",
                "{{monitor}}"),), unit="none", width=24, height=6, needs="monitors"),
    )),
    ("Rollouts", (
        Panel("Versions", "What is live, and what is on its way.",
              ((latest("fairlead_deployment_info", f"{WHO}, live, candidate"), ""),), "table", height=7),
        Panel("Phase", "Holding: something stands in the way; the Deployment's conditions say what.",
              ((f"{latest('fairlead_deployment_phase', f'{WHO}, phase')} == 1", "{{deployment}} {{phase}}"),),
              "state-timeline", height=7, words=(("1", " ", "blue"),)),
        Panel("Evidence that the candidate is worse, as a share of its bound",
              "In logarithms. At 1 it is taken back at once.",
              ((against("fairlead_deployment_log_evidence"), "{{deployment}} {{version}} {{guard}}"),),
              unit="percentunit", most=1.1, red=1.0),
        Panel("Weight of the candidate", "Percent of the requests.",
              ((latest("fairlead_deployment_candidate_weight"), "{{deployment}}"),), unit="percent", most=100),
        Panel("Evidence comes in", "No: the rollout is frozen, its weight stays.",
              ((latest("fairlead_deployment_evidence_available"), "{{deployment}}"),), "state-timeline", words=YES_NO,
              height=6),
        Panel("Taken back", "Versions whose rollback stands, and why.",
              ((latest("fairlead_deployment_rollback_info", f"{WHO}, version, reason"), ""),), "table", height=6,
              width=8),
        Panel("Pairs of answers that wait for people", "kubectl fairlead review deployment/NAME",
              ((latest("fairlead_deployment_review_waiting"), "{{deployment}}"),), height=6, width=4, needs="people"),
    )),
    ("After the promotion", (
        Panel("Evidence that the live version has become worse, as a share of its bound",
              "In logarithms. At 1 the version before it takes over.",
              ((against("fairlead_deployment_watch_log_evidence"), "{{deployment}} {{version}} {{guard}}"),),
              unit="percentunit", most=1.1, red=1.0, needs=WATCH),
        Panel("Ready pods of the live version", "None: requests fail.",
              ((latest("fairlead_deployment_ready_replicas"), "{{deployment}}"),)),
        Panel("Could be rolled back", "No: the condition RollbackReady says what is missing.",
              ((latest("fairlead_deployment_rollback_ready"), "{{deployment}}"),), "state-timeline", words=YES_NO,
              height=6),
        Panel("Watched", "No: nothing shows how the live version does.",
              ((latest("fairlead_deployment_watched"), "{{deployment}}"),), "state-timeline", words=YES_NO, height=6,
              needs=WATCH),
    )),
    ("Data, pipelines, versions", (
        Panel("Rows of the current version", "Of each Dataset.",
              ((latest("fairlead_dataset_rows", "namespace, dataset", SPACE), "{{dataset}}"),),
              width=8),
        Panel("Age of the current version", "Since each Dataset's was published.",
              (("time() - " + latest("fairlead_dataset_version_timestamp_seconds", "namespace, dataset", SPACE),
                "{{dataset}}"),), unit="s", width=8),
        Panel("Datasets are valid", "No: the newest data breaks a rule, and the version before is used.",
              ((latest("fairlead_dataset_valid", "namespace, dataset", SPACE), "{{dataset}}"),),
              "state-timeline", width=8, words=YES_NO),
        Panel("Runs under way", "Of each Pipeline.",
              ((latest("fairlead_pipeline_active_runs", "namespace, pipeline", SPACE),
                "{{pipeline}}"),), width=8),
        Panel("The last run failed", "kubectl fairlead get run says why.",
              ((latest("fairlead_pipeline_last_run_failed", "namespace, pipeline", SPACE),
                "{{pipeline}}"),), "state-timeline", width=8,
              words=(("0", "no", "green"), ("1", "yes", "red"))),
        Panel("Model versions", "By phase.",
              (('count by (model, phase) (max by (namespace, version, model, phase) '
                '(fairlead_modelversion_phase{namespace=~"$namespace"}))', "{{model}} {{phase}}"),), width=8),
    )),
    ("GPUs", gpus.FLEET),
)  # fmt: skip


BOARD = Board("fairlead-models", "Fairlead / models", ROWS, (
    variable("namespace", "label_values(fairlead_deployment_info, namespace)"),
    variable("deployment", 'label_values(fairlead_deployment_info{namespace=~"$namespace"}, deployment)'),
))  # fmt: skip
