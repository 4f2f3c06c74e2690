"""One model: how it does, what it is asked, what follows from it, and what it costs."""

from __future__ import annotations

from fairlead.manifests.alerts import ALERTS
from fairlead.plan.deployment.monitors.registry import MONITORS
from hack.gen.boards import gpus, predictions
from hack.gen.boards.queries import HERE, SPACE, WHO, against, latest
from hack.gen.panels import WIDE, YES_NO, Board, Panel, Rows, Words, number, variable

MONITORED, QUALITY, WATCH, WORLD, UNREAD = "monitors", "quality", "watch", "world", "unread"
"""What queries may need: monitors that have closed a window (`monitors/NAME`: one of them), a figure (`quality/NAME`),
a watch after the promotion, a world that has changed once, requests that are not understood."""
TITLES = {"data": "Data quality"}
"""Of monitors that are not called as their panel is."""
STANDING: Words = (
    ("-1", "unknown", "text"), ("0", "ok", "green"), ("1", "watch", "yellow"), ("2", "alarm", "red"),
)  # fmt: skip
PIPELINE = f'{SPACE},pipeline=~"$pipeline"'


def _monitor(name: str) -> Panel:
    where = f'{HERE},monitor="{name}"'
    return Panel(TITLES.get(name, name.capitalize()),
                 f"Alarm: {ALERTS[name][1]}. By the monitor {name}; no data: it is not asked for.",
                 ((latest("fairlead_deployment_monitor", f"{WHO}, version", where), "{{version}}"),), "stat", "none",
                 WIDE // len(MONITORS), 4, least=None, words=STANDING, needs=f"{MONITORED}/{name}")  # fmt: skip


def _quality(title: str, metrics: str, about: str, unit: str = "none") -> Panel:
    where = f'{HERE},metric=~"{metrics}"'
    return Panel(title, f"{about} Realised: by labels, those that came last; estimated: without.",
                 ((latest("fairlead_deployment_quality", f"{WHO}, version, metric, source", where),
                   "{{version}} {{metric}}, {{source}}"),), unit=unit, width=6,
                 needs=f"{QUALITY}/{metrics.split('|')[0]}")  # fmt: skip


ROWS: Rows = (
    ("Is it well?", (
        *(_monitor(one.name) for one in MONITORS),
        Panel("Monitors", "All of them. Unknown: the line of kubectl fairlead get deployment says what is missing.",
              ((latest("fairlead_deployment_monitor", f"{WHO}, monitor"), "{{monitor}}"),), "state-timeline", "none",
              16, 7, least=None, words=STANDING, needs=MONITORED),
        Panel("Something is seen", "No: nothing can be compared with what it learnt from; the condition MonitorReady.",
              ((latest("fairlead_deployment_monitored"), "{{deployment}}"),), "state-timeline", "none", 8, 7,
              words=YES_NO, needs=MONITORED),
    )),
    ("Quality", (
        _quality("MAPE", "mape", "Mean absolute error over the actual value, of rows where that is not 0.",
                 "percentunit"),
        _quality("RMSE", "rmse", "Root of the mean squared error of all rows."),
        _quality("RMSE where the actual value is 0", "rmse_zero", "Of those rows, which MAPE leaves out."),
        _quality("Accuracy, AUC, F1", "accuracy|auc|f1", "Of a model that answers with classes.", "percentunit"),
    )),
    ("Predictions", (
        Panel("Predictions", "Requests a second, by version. Of servers that name their own counters: none.",
              ((predictions.rate(), "{{version}}"),), unit="reqps", width=8),
        Panel("Errors", "The share of requests that the server fails (5xx), by version.",
              ((predictions.errors(), "{{version}}"),), unit="percentunit", width=8),
        Panel("Latency", "Within which half of the requests, and 99 of 100, are answered.",
              ((predictions.latency(0.5), "{{version}} p50"), (predictions.latency(0.99), "{{version}} p99")), unit="s",
              width=8),
        Panel("Rows compared", "Rows of requests that recorders count for the monitors, by version.",
              ((f"sum by ({WHO}, version) (rate(fairlead_recorder_binned_rows_total{{{HERE}}}[$__rate_interval]))",
                "{{version}}"),), unit="rowsps", width=8, height=6, needs=MONITORED),
        Panel("Requests not understood", "Chosen for the monitors, and not counted, by reason.",
              ((f"sum by ({WHO}, reason) (rate(fairlead_recorder_unread_total{{{HERE}}}[$__rate_interval]))",
                "{{reason}}"),), unit="reqps", width=8, height=6, needs=UNREAD),
        Panel("Ready pods of the live version", "None: requests fail.",
              ((latest("fairlead_deployment_ready_replicas"), "{{deployment}}"),), unit="none", width=8, height=6),
    )),
    ("Rollouts, and the way back", (
        Panel("Versions", "What is live, and what is on its way.",
              ((latest("fairlead_deployment_info", f"{WHO}, live, candidate"), ""),), "table", height=5, width=8),
        Panel("Could be rolled back", "No: the condition RollbackReady says what is missing.",
              ((latest("fairlead_deployment_rollback_ready"), "{{deployment}}"),), "state-timeline", "none", 8, 5,
              words=YES_NO),
        Panel("The world has changed", "Yes: the version before does no better, so nothing was rolled back.",
              ((latest("fairlead_deployment_world_changed"), "{{deployment}}"),), "state-timeline", "none", 8, 5,
              words=(("0", "no", "green"), ("1", "yes", "red")), needs=WORLD),
        Panel("Weight of the candidate", "Percent of the requests.",
              ((latest("fairlead_deployment_candidate_weight"), "{{deployment}}"),), unit="percent", most=100, width=6),
        Panel("Evidence against the candidate", "As a share of its bound, in logarithms. At 1 it is taken back.",
              ((against("fairlead_deployment_log_evidence"), "{{version}} {{guard}}"),), unit="percentunit", most=1.1,
              red=1.0, width=6),
        Panel("Since the last rollback", "No data: none was.",
              (("time() - " + latest("fairlead_deployment_last_rollback_timestamp_seconds"), "{{deployment}}"),),
              unit="s", width=6),
        Panel("Taken back", "The version, and why, for as long as no other one is on its way.",
              ((latest("fairlead_deployment_rollback_info", f"{WHO}, version, reason"), ""),), "table", width=6),
    )),
    ("Pipeline", (
        Panel("Steps", "Of runs that are under way.",
              ((latest("fairlead_pipelinerun_step", "namespace, pipeline, run, step", PIPELINE),
                "{{run}} {{step}}"),), "state-timeline", "none", 12, 7, least=None, words=(
                    ("-1", "failed", "red"), ("0", "waits", "text"), ("1", "runs", "blue"), ("2", "done", "green"))),
        Panel("The last run failed", "kubectl fairlead get run says why.",
              ((latest("fairlead_pipeline_last_run_failed", "namespace, pipeline", PIPELINE), "{{pipeline}}"),),
              "state-timeline", "none", 6, 7, words=(("0", "no", "green"), ("1", "yes", "red"))),
        Panel("Triggers have given up", "Yes: no run starts by itself; kubectl fairlead why pipeline/NAME.",
              ((latest("fairlead_pipeline_gave_up", "namespace, pipeline", PIPELINE), "{{pipeline}}"),),
              "state-timeline", "none", 6, 7, words=(("0", "no", "green"), ("1", "yes", "red"))),
    )),
    ("GPUs and cost", gpus.PANELS),
)  # fmt: skip

_OF = '{namespace="$namespace"}'
BOARD = Board("fairlead-deployment", "Fairlead / one model", ROWS, (
    variable("namespace", "label_values(fairlead_deployment_info, namespace)", several=False),
    variable("deployment", f"label_values(fairlead_deployment_info{_OF}, deployment)", several=False),
    variable("pipeline", f"label_values(fairlead_pipeline_runs{_OF}, pipeline)"),
    number(gpus.PRICE, "Price of a GPU and hour", "0"),
))  # fmt: skip
