"""Pages of counters: real ones, torn ones, wrong ones, large ones."""

from __future__ import annotations

import time
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from fairlead.plan.requests import Counters, MetricNames
from fairlead.signals.errors import SignalError
from fairlead.signals.page import parse_page

NAMES = MetricNames('requests_total{model="m"}', 'requests_total{model="m",code=~"5.."}', "seconds")


@pytest.fixture
def page() -> str:
    """What prometheus_client itself writes."""
    registry = CollectorRegistry()
    requests = Counter("requests", "Requests, by code", ["model", "code"], registry=registry)
    Counter("requests_total_of_something_else", "A longer name", registry=registry).inc(1000)
    for code, number in (("200", 90), ("500", 7), ("503", 3)):
        requests.labels("m", code).inc(number)
    requests.labels("other", "500").inc(55)
    histogram = Histogram("seconds", "Latency", ["code"], buckets=(0.1, 0.5), registry=registry)
    for value in (0.05, 0.2, 0.7):
        histogram.labels("200").observe(value)
    histogram.labels("500").observe(0.05)
    return generate_latest(registry).decode()


def test_matching_series_are_added_up(page):
    assert parse_page(page, NAMES) == Counters(100.0, 10.0, ((0.1, 2.0), (0.5, 3.0), (inf, 4.0)))


def test_it_finds_what_the_library_finds(page):
    total = sum(
        sample.value for family in text_string_to_metric_families(page) for sample in family.samples
        if sample.name == "requests_total"
    )  # fmt: skip
    assert parse_page(page, MetricNames("requests_total", "nothing")).requests == total


def test_counters_that_were_not_needed_yet_are_zero(page):
    assert parse_page(page, MetricNames("absent_total", "absent_total", "absent")) == Counters(0.0, 0.0, ())
    assert parse_page("", NAMES) == Counters(0.0, 0.0, ())
    assert parse_page("# HELP x y\n# TYPE x counter\n", NAMES).requests == 0.0


def test_units_and_timestamps_and_crlf():
    text = 'seconds_bucket{le="100"} 3 1700000000000\r\nseconds_bucket{le="+Inf"} 4 1700000000000\r\n'
    found = parse_page(text, MetricNames("a", "b", "seconds", latency_unit=0.001))
    assert found.buckets == ((0.1, 3.0), (inf, 4.0))


def test_openmetrics_exemplars_are_passed_over():
    text = 'a_total{x="1"} 17.0 # {trace_id="a b"} 0.67\na_total 3 # {t="}"} 1 123\n# EOF\n'
    assert parse_page(text, MetricNames("a_total", "b_total")).requests == 20.0


def test_a_page_that_was_torn_stays_cumulative():
    text = 's_bucket{le="1"} 5\ns_bucket{le="2"} 4\ns_bucket{le="+Inf"} 6\n'
    assert parse_page(text, MetricNames("a", "b", "s")).buckets == ((1.0, 5.0), (2.0, 5.0), (inf, 6.0))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<!doctype html><html></html>", "NotMetrics"), ('{"status": "ok"}', "NotMetrics"), ("not found", "NotMetrics"),
        ("# ok\nrequests_total{model=m} 5\n", "NotMetrics"), ('# ok\nrequests_total{model="m"}\n', "NotMetrics"),
        ('requests_total{model="m"} NaN\n', "UnusableValue"), ('requests_total{model="m"} +Inf\n', "UnusableValue"),
        ('requests_total{model="m"} -1\n', "UnusableValue"), ('requests_total{model="m"} 1_0\n', "UnusableValue"),
        ('requests_total{model="m"} 1e300\n', "UnusableValue"), ('requests_total{model="m"} 9.1e15\n', "UnusableValue"),
        ('requests_total{model="m"} 1e999\n', "UnusableValue"), ('seconds_bucket{le="x"} 1\n', "UnusableValue"),
        ('seconds_bucket{le="1"} 1\n', "UnusableValue"),
        ('seconds_bucket{a="1",le="1"} 1\nseconds_bucket{le="+Inf"} 1\nseconds_bucket{a="1",le="+Inf"} 1\n',
         "UnusableValue"),
    ],
)  # fmt: skip
def test_what_is_not_a_page_of_counters_is_refused(text, reason):
    with pytest.raises(SignalError) as caught:
        parse_page(text, NAMES)
    assert caught.value.reason == reason
    assert caught.value.message.endswith(".")


def test_a_large_page_takes_a_few_milliseconds():
    lines = [f'other_{i % 50}_bucket{{le="{i}",model="m"}} {i}' for i in range(2500)]
    lines += [f'requests_total{{model="m",code="{200 + i}"}} 1' for i in range(50)]
    text = "# page\n" + "\n".join(lines)
    assert len(text) > 90_000
    started = time.thread_time()
    for _ in range(5):
        assert parse_page(text, NAMES).requests == 50.0
    assert (time.thread_time() - started) / 5 < 0.01


fragments = st.sampled_from(
    ["requests_total", "seconds_bucket", "{", "}", "model", '="m"', 'le="', '"', "\\", ",", " ", "\n", "1", "NaN", "#"]
)


@given(st.one_of(st.text(max_size=80), st.lists(fragments, max_size=30).map("".join)))
@settings(max_examples=80)
def test_any_text_is_counters_or_a_signal_error(text):
    try:
        found = parse_page(text, NAMES)
    except SignalError:
        return
    assert found.requests >= 0


# --- what is not there is no zero ------------------------------------------------------------------------------------


def unproven(text: str, requests: str, failures: str, latency: str | None = None) -> list[tuple[str, str, str]]:
    found = parse_page(text, MetricNames(requests, failures, latency)).unproven
    return [(one.of, one.reason, one.name) for one in found]


def test_b03_a_name_that_the_page_does_not_have_is_told_with_those_that_are_like_it(page):
    (told,) = parse_page(page, MetricNames("requests_totl", "requests_total")).unproven
    assert (told.of, told.reason, told.name) == ("requests", "MetricMissing", "requests_totl")
    assert "spec.server.metrics.requests" in told.message
    assert "requests_total" in told.message


def test_b03_a_label_that_no_series_has_is_told_with_those_that_they_have(page):
    (told,) = parse_page(page, MetricNames("requests_total", 'requests_total{status=~"5.."}')).unproven
    assert (told.of, told.reason, told.name) == ("failures", "LabelMissing", "status")
    assert "code, model" in told.message
    for selector in ('requests_total{status!="200"}', 'requests_total{status!~"2.."}', 'requests_total{status=~".*"}'):
        assert unproven(page, "requests_total", selector) == [("failures", "LabelMissing", "status")], selector


@pytest.mark.parametrize(
    ("text", "failures"),
    [
        ('a_total{code="200"} 5\n', 'a_total{code=~"5.."}'), ('a_total{code="200"} 5\n', 'a_total{code="200",kind=""}'),
        ("# TYPE b_total counter\na_total 5\n", 'b_total{code="5"}'), ("# HELP b_total\na_total 5\n", "b_total"),
        ("# TYPE b counter\na_total 5\n# EOF\n", "b_total"), ("# TYPE b histogram\na_total 5\n", 'b_count{code="5"}'),
        ("a_total 5\nb_total 0\n", "b_total"),
    ],
)  # fmt: skip
def test_b03_what_has_only_not_happened_yet_is_a_zero(text, failures):
    assert unproven(text, "a_total", failures) == []
    assert parse_page(text, MetricNames("a_total", failures)).requests == 5


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "a_total 5\n", "# TYPE b gauge\nb 1\na_total 5\n", "b_total_x 5\na_total 5\n",
        '# TYPE b histogram\nb_bucket{le="+Inf"} 3\nb_count 3\nb_sum 1\na_total 5\n', "# TYPE b summary\na_total 5\n",
        'a_total{why="# TYPE b_total counter"} 5\n',
    ],
)  # fmt: skip
def test_b03_what_nothing_on_the_page_speaks_for_is_not_known(text):
    assert ("failures", "MetricMissing", "b_total") in unproven(text, "a_total", "b_total")


@pytest.mark.parametrize(
    ("failures", "listed"),
    [
        ('b{code="500"}', 'histogram\nb_bucket{le="+Inf",code="500"} 3\nb_count{code="500"} 3\nb_sum{code="500"} 1\n'),
        ('b{code="500"}', 'summary\nb_count{code="500"} 3\nb_sum{code="500"} 1\n'),
        ('b{code="500"}', 'counter\nb_total{code="500"} 3\nb_created{code="500"} 1.7e9\n# EOF\n'),
        ("b", "counter\n# EOF\n"), ('b_count{code="500"}', 'counter\nb_total{code="500"} 3\n# EOF\n'),
    ],
)  # fmt: skip
def test_b03_a_family_that_is_listed_is_not_its_series(failures, listed):
    name = failures.split("{")[0]
    assert unproven(f"a_total 5\n# TYPE b {listed}", "a_total", failures) == [("failures", "MetricMissing", name)]


def test_b03_the_closest_names_are_others():
    text = 'a_total 5\n# TYPE seconds histogram\nseconds_bucket{le="+Inf"} 3\nseconds_count 3\n'
    (told,) = parse_page(text, MetricNames("seconds", "a_total")).unproven
    assert "has no series seconds, which" in told.message
    assert "seconds_count" in told.message.split("closest")[1]


def test_b03_each_term_of_a_sum_must_be_there():
    assert unproven("a_total 5\n", "a_total + b_total", "a_total") == [("requests", "MetricMissing", "b_total")]


def test_b03_histograms_too(page):
    assert unproven(page, "requests_total", "requests_total", "secnds") == [("latency", "MetricMissing", "secnds")]
    assert unproven(page, "requests_total", "requests_total", 'seconds{kode="200"}') == [
        ("latency", "LabelMissing", "kode")
    ]


@given(st.sets(st.sampled_from(["200", "404", "500", "503"]), min_size=1), st.sampled_from(["code", "status", "kind"]))
@settings(max_examples=40)
def test_b03_a_selector_is_believed_where_its_label_is_there_and_only_there(codes, label):
    registry = CollectorRegistry()
    counter = Counter("requests", "Requests", ["code"], registry=registry)
    for code in codes:
        counter.labels(code).inc()
    text = generate_latest(registry).decode()
    assert bool(unproven(text, "requests_total", f'requests_total{{{label}=~"5.."}}')) == (label != "code")


@pytest.mark.parametrize("line", ["a_total", 'a_total{code="200"}'])
def test_b03_a_series_that_is_there_twice_is_not_added_up(line):
    with pytest.raises(SignalError, match="twice"):
        parse_page(f"{line} 5\n{line} 7\n", MetricNames("a_total", "a_total"))


def test_b03_a_series_is_its_labels_in_any_order():
    with pytest.raises(SignalError, match="twice"):
        parse_page('a_total{a="1",b="2"} 5\na_total{b="2",a="1"} 7\n', MetricNames("a_total", "a_total"))
