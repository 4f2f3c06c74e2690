"""`fairlead operator`: run the operator."""

from __future__ import annotations

import argparse
import logging
import os
import threading


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("operator", help="run the operator", description="Run one replica of the operator.")
    parser.add_argument("--config", required=True, help="the operator's configuration (YAML)")
    parser.add_argument("--kubeconfig", help="kubeconfig file (default: the pod's account, else $KUBECONFIG)")
    parser.add_argument(
        "--namespace",
        default=os.environ.get("POD_NAMESPACE", "fairlead"),
        help="the operator's own: its lease is there",
    )
    parser.add_argument("--host", default="0.0.0.0", help="address of /healthz, /readyz and /metrics")
    parser.add_argument("--port", type=int, default=8080, help="port of /healthz, /readyz and /metrics")
    parser.add_argument("--lease", default="fairlead", help="name of the lease")
    parser.add_argument(
        "--lease-duration", type=float, default=12.0, metavar="SECONDS", help="a silent leader is replaced after this"
    )
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from fairlead.engine import app, logs

    logs.setup(args.log_level)
    code = app.main(
        app.Options(
            config=args.config,
            kubeconfig=args.kubeconfig,
            namespace=args.namespace,
            host=args.host,
            port=args.port,
            lease=args.lease,
            lease_duration=args.lease_duration,
        )
    )
    if threading.active_count() > 1:
        # a listing that still waits for a dead store would hold up the end, and the interpreter waits for all threads
        logging.shutdown()
        os._exit(code)
    return code
