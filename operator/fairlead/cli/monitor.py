"""`fairlead monitor`: what do the monitors of a live model say (`fairlead.cli.monitored`)? What would they have said of
this stream? The cluster's own engine, on files."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fairlead.api import units
from fairlead.api.units import many
from fairlead.cli import stores
from fairlead.cli.session import OK, USAGE, Problem, Session, add_options, command, guarded

if TYPE_CHECKING:
    import duckdb

    from fairlead.monitor.profile import Profile
    from fairlead.monitor.series import Settings
    from fairlead.worker.past.files import Source
    from fairlead.worker.past.judge import Judgement
    from fairlead.worker.past.labels import Labels
    from fairlead.worker.past.stream import Names, Stream
    from fairlead.worker.past.windows import Length

DAY = 86_400.0
_MOST_ALARMS = 1e6
METRICS = ("selection_rate", "tpr", "fpr", "error")
"""By which groups are compared; all but the first need labels."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "monitor", help="what the monitors of a live model say; or what they would have said of rows of the past",
        description="Show what the monitors of a Deployment (deployment/NAME) have found in its last windows. Or judge "
        "rows of the past (--profile, --rows), window by window, exactly as a cluster judges requests: how many alarms "
        "would there have been, and how many of them were true? The profile is what `fairlead profile` makes of the "
        "rows that the model learnt from. The exit code is 0 whatever is found.",
    )  # fmt: skip
    parser.add_argument("what", nargs="?", metavar="deployment/NAME", help="whose monitors; of rows on this machine, "
                        "nothing")  # fmt: skip
    _of_files(parser.add_argument_group("rows of the past"))
    parser.add_argument("--windows", type=int, metavar="N",
                        help="show the last so many (default: 24 of a deployment; in a page of rows 200)")  # fmt: skip
    parser.add_argument("--version", help="of a deployment: a version that was live before (default: the live one)")
    parser.add_argument("--outliers", action="store_true",
                        help="of a deployment: the newest requests unlike all that it learnt from")  # fmt: skip
    parser.add_argument("-o", "--output", type=_output, default="table", metavar="table|json|html|FILE.html",
                        help="what to print, json for programs; or a file for the page with charts")  # fmt: skip
    stores.add_options(parser)
    add_options(parser)
    parser.set_defaults(run=run)


def _output(text: str) -> str:
    if text not in ("table", "json", "html") and not text.endswith(".html"):
        raise argparse.ArgumentTypeError(f"{text!r} is none of table, json, html and FILE.html")
    return text


def _of_files(parser: argparse._ArgumentGroup) -> None:
    parser.add_argument("--profile", metavar="FILE", help="what the model learnt from: profile.json")
    parser.add_argument("--reference", nargs="+", metavar="FILE",
                        help="the rows that the profile is of, in their order: what a season did in their windows, it "
                        "may do again")  # fmt: skip
    parser.add_argument("--rows", nargs="+", metavar="FILE",
                        help="rows with the model's features and answers, in the order in which they came: Parquet, "
                        "CSV or JSON lines, or folders with such")  # fmt: skip
    parser.add_argument("--prediction", metavar="COLUMN", help="the answers (default: as in the profile)")
    parser.add_argument("--score", metavar="COLUMN", help="the answers' probabilities (default: as in the profile)")
    parser.add_argument("--time", metavar="COLUMN", help="when a row came")
    parser.add_argument("--window", default="5000", metavar="LENGTH",
                        help="5000 rows (the default), a time (1h, 1d), or calendar months (1mo)")  # fmt: skip
    parser.add_argument("--every", metavar="DURATION",
                        help="how long it takes until as many rows have come as a window has (default: as their times "
                        "say, else 1d); by it false alarms a year are counted")  # fmt: skip
    parser.add_argument("--labels", nargs="+", metavar="FILE", help="what came true: files with a key and a label")
    parser.add_argument("--key", metavar="COLUMN", help="a row's key, here and in the labels")
    parser.add_argument("--target", metavar="COLUMN",
                        help="the label, in the labels (default: their one other column) or in the rows")  # fmt: skip
    parser.add_argument("--delay", default="0s", metavar="DURATION", help="how long after its row a label is known")
    parser.add_argument("--by", nargs="+", default=[], metavar="COLUMN",
                        help="compare groups, told apart by these columns of the profile's slices")  # fmt: skip
    parser.add_argument("--false-alarms-per-year", type=float, default=1.0, metavar="N",
                        help="how many are accepted, of all monitors together (default: 1)")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Print what is said, or would have been. Returns the exit code."""
    if args.what is None:
        return guarded(lambda: _tell(args))
    return guarded(lambda: _refuse(args)) or int(_of_deployment(args))


def _refuse(args: argparse.Namespace) -> int:
    if args.profile or args.rows:
        raise Problem(f"{args.what} has its own profile and rows: leave --profile and --rows out", USAGE)
    return OK


@command
async def _of_deployment(session: Session, args: argparse.Namespace) -> int:
    from fairlead.cli import monitored

    args.windows = monitored.WINDOWS if args.windows is None else args.windows
    return await monitored.show(session, args)


def _tell(args: argparse.Namespace) -> int:
    if not args.profile or not args.rows:
        raise Problem("name deployment/NAME, or a --profile and --rows", USAGE)
    try:
        from fairlead.cli import monitor_page, past_json, past_page, past_table
        from fairlead.worker.past.files import BadFiles
        from fairlead.worker.past.windows import BadLength
    except ImportError as missing:
        raise Problem(f"rows are read with what jobs use: pip install 'fairlead[worker]' ({missing})", USAGE) from None
    page = monitor_page.wanted(args.output)
    if args.windows is not None and (not page or args.windows < 1):
        raise Problem("--windows is of a deployment, or of a page (-o html): at least 1", USAGE)
    try:
        with opened(args) as past:
            if page:
                past_page.tell(past, past_page.WINDOWS if args.windows is None else args.windows, args.output)
            else:
                (past_json if args.output == "json" else past_table).tell(past)
    except (BadFiles, BadLength) as bad:
        raise Problem(str(bad), USAGE) from None
    return OK


@dataclass(frozen=True)
class Past:
    """What was asked for, ready to be judged."""

    profile: Profile
    stream: Stream
    labels: Labels | None
    judgement: Judgement
    notes: Sequence[str]
    """What a person should know of how all was read."""


@contextmanager
def opened(args: argparse.Namespace) -> Iterator[Past]:
    """Read what there is. Raises Problem, BadFiles, BadLength."""
    import duckdb

    from fairlead.worker.past import files, windows

    length = windows.parse(args.window)
    profile = read_profile(args.profile)
    _check_groups(profile, args.by)
    if args.labels and not args.key:
        raise Problem("labels are joined with rows by a key: name its column with --key", USAGE)
    named = [Path(one) for given in (args.rows, args.labels, args.reference) for one in given or ()]
    with tempfile.TemporaryDirectory(prefix="fairlead-") as folder:
        try:
            with files.connect(Path(folder), named) as database:
                yield _past(args, database, profile, length)
        except duckdb.OutOfMemoryException as error:
            raise Problem(f"there is not memory enough: {error}. Give it more, or fewer rows at once") from None


def _past(args: argparse.Namespace, database: duckdb.DuckDBPyConnection, profile: Profile, length: Length) -> Past:
    from fairlead.worker.past.files import Source
    from fairlead.worker.past.judge import Judgement, seasons
    from fairlead.worker.past.stream import Stream

    rows = Source(database, [Path(one) for one in args.rows], [args.key] if args.key else [])
    names, notes = _names(args, profile, rows.types)
    if args.reference:
        reference = Source(database, [Path(one) for one in args.reference])
        profile, own = seasons(Stream(database, reference, profile, names, length))
        notes.append(f"what {many(own, 'window')} of the reference showed is tolerated")
    stream = Stream(database, rows, profile, names, length)
    labels = _labels(args, database, stream, rows, names)
    settings, said = _settings(args, stream, length, labels is not None)
    return Past(profile, stream, labels, Judgement(stream, settings, labels), [*stream.notes(), *notes, *said])


def _labels(
    args: argparse.Namespace, database: duckdb.DuckDBPyConnection, stream: Stream, rows: Source, names: Names
) -> Labels | None:
    from fairlead.worker.past import files, windows
    from fairlead.worker.past.labels import Labels

    delay = round(_duration(args.delay, "--delay") * windows.SECOND)
    if not args.labels and not args.target:
        return None
    key = args.key or ""
    file = files.Source(database, [Path(one) for one in args.labels], [key]) if args.labels else None
    return Labels(database, stream, rows, names, args.target or "", delay, file, key)


def read_profile(path: str) -> Profile:
    """A profile's file. Raises Problem."""
    from fairlead.monitor.profile import SIZE, BadProfile, parse

    try:
        with Path(path).open("rb") as file:
            return parse(file.read(SIZE + 1))
    except OSError as failed:
        raise Problem(f"{path} can't be read: {failed}. Make one: fairlead profile --help", USAGE) from None
    except BadProfile as bad:
        raise Problem(f"{path}: {bad}: fairlead profile --help", USAGE) from None


def _check_groups(profile: Profile, by: Sequence[str]) -> None:
    there = [one.by for one in profile.slices]
    for one in by:
        if one not in there:
            known = f"it has {', '.join(there)}" if there else "it has none"
            raise Problem(f"the profile doesn't tell groups apart by {one[:60]!r} ({known}): make it anew with "
                          f"--slices {one[:60]}", USAGE)  # fmt: skip


def _names(args: argparse.Namespace, profile: Profile, there: Collection[str]) -> tuple[Names, list[str]]:
    """The columns of answers: those that were named, else the profile's, as far as the rows have them."""
    from fairlead.worker.past.stream import Names

    notes = []
    prediction = args.prediction or ""
    if not prediction and profile.prediction is not None:
        prediction = profile.prediction.name if profile.prediction.name in there else ""
        if not prediction:
            notes.append(f"the rows have no column {profile.prediction.name}, as the answers are called in the "
                         "profile: name theirs with --prediction")  # fmt: skip
    score = args.score or ""
    if not score and profile.scores is not None:
        notes.append("without the answers' probabilities no quality can be estimated: name their column with --score")
    return Names(args.time or "", prediction, score), notes


def _settings(args: argparse.Namespace, stream: Stream, length: Length, labelled: bool) -> tuple[Settings, list[str]]:
    from fairlead.monitor.series import Settings
    from fairlead.monitor.watched import Rule
    from fairlead.worker.past.windows import SECOND

    every = _duration(args.every, "--every") if args.every else 0.0
    alarms = args.false_alarms_per_year
    if not 0 < alarms <= _MOST_ALARMS:
        raise Problem("--false-alarms-per-year is a number above 0, such as 1 or 0.5", USAGE)
    rules = tuple(Rule(by, metric) for by in args.by for metric in (METRICS if labelled else METRICS[:1]))
    said = []
    if length.timed:
        if every:
            raise Problem("--every is of windows of rows; a window of time says itself how long it is", USAGE)
        every = length.seconds()
    elif not every and stream.clock and stream.count() > 1 and stream.times.first < stream.times.last:
        every = (stream.times.last - stream.times.first) / SECOND / stream.count()
        said.append(f"a window takes {units.human(every)} on average")
    elif not every:
        every = DAY
        said.append("a window is taken to be a day's rows; say how long it takes with --every")
    return Settings(every, alarms, fairness=rules), said


def _duration(text: str, option: str) -> float:
    try:
        return units.seconds(text)
    except ValueError as bad:
        raise Problem(f"{option}: {bad}", USAGE) from None
