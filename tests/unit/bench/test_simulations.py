"""The simulations run, and a judge of each kind sees what it should."""

from __future__ import annotations

import numpy as np
import pytest
from hack.bench import peers, studies

from fairlead.verdict.guards import Window


@pytest.mark.parametrize(("name", "study", "rules"), studies.STUDIES, ids=[name for name, *_ in studies.STUDIES])
def test_a_study_gives_windows_that_can_be_judged(name, study, rules):
    windows = list(study(np.random.default_rng(1)))
    assert len(windows) >= 40, name
    assert sum(one.candidate.requests for one in windows if isinstance(one, Window)) > 50
    assert studies.taken_back(rules, iter(windows)) in (True, False)


def test_a_threshold_counts_failed_checks():
    judge = peers.Threshold(interval=10, least=0.9, allowed=1)
    fine = np.tile([10, 0], (peers.SECONDS, 1))
    bad = np.tile([10, 2], (peers.SECONDS, 1))
    assert judge.ends(fine, fine) is None
    assert judge.ends(fine, bad) == 20
    assert judge.ends(fine, np.zeros_like(bad)) is None


def test_evidence_ends_a_bad_rollout_soon():
    rng = np.random.default_rng(2)
    stable, bad = peers.served(rng, 100, 0.02, 0.9), peers.served(rng, 100, 0.3, 0.1)
    found = peers.Evidence(0.01).ends(stable, bad)
    assert found is not None
    assert found < 30
