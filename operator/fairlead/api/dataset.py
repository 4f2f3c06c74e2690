"""Dataset: data in object storage that is watched, checked, and published as immutable versions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from fairlead.api.common import S3Location, StatusBase, Timestamp
from fairlead.api.formats import FormatName
from fairlead.api.limits import JobResources
from fairlead.api.reading import Csv, ShownReading
from fairlead.api.schema import (
    LIST_ATOMIC,
    LIST_SET,
    Decimal,
    Duration,
    Key,
    Model,
    Span,
    Text,
    cel,
    exactly_one_of,
    list_map,
)


class Source(Model):
    """Where the data comes from."""

    s3: S3Location
    """A folder of a bucket, or one object: with or without its slash, `prefix: flights` is `flights/` and never
    `flights-old/`. All objects there are one version's files, but for those whose name, or folder, begins with `_` or
    `.`: engines leave them beside their data."""
    exclude: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f]+$")]] | None,
        Field(max_length=16, json_schema_extra=LIST_SET),
    ] = None
    """What is no data either: `README.md`, `*.txt`, `old/`. `*`, `?` and `[abc]` stand for characters of one name. A
    pattern without a slash is compared with each name of an object's path below the prefix, one with a slash with the
    path's first names. What lies in a folder that matches is left out too."""


class Watch(Model):
    """How often the source is looked at."""

    every: Span = "5m"
    """Time between two listings."""
    settle: Duration = "10s"
    """A listing must stay the same for this long before it is read: uploads in progress are not a version."""


class Column(Model):
    """A column that every file must have."""

    name: Key
    type: Literal["string", "integer", "float", "boolean", "timestamp", "date"]
    nullable: bool = False
    """Whether nulls (and, for float, NaN) are allowed."""
    min: Decimal | None = None
    """Smallest allowed value of a number."""
    max: Decimal | None = None
    """Largest allowed value of a number."""
    in_: Annotated[
        list[Annotated[str, Field(max_length=128)]] | None,
        Field(alias="in", max_length=1000, json_schema_extra=LIST_SET | {"minItems": 1}),
    ] = None
    """The allowed values of a string."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("!(has(self.min) || has(self.max)) || self.type in ['integer', 'float']", "min and max need a number"),
            ("!has(self.min) || !has(self.max) || double(self.min) <= double(self.max)", "min is above max"),
            ("!has(self.__in__) || self.type == 'string'", "in needs a string column"),
        )
    )


class Schema(Model):
    """The columns that are required."""

    columns: Annotated[list[Column], Field(min_length=1, max_length=500, json_schema_extra=list_map("name"))]
    extra: Literal["allow", "forbid"] = "allow"
    """Whether columns that are not listed may be there."""


class RowsCheck(Model):
    """Bounds on the number of rows of a version."""

    min: Annotated[int, Field(ge=0, le=10**15)] | None = None
    max: Annotated[int, Field(ge=0, le=10**15)] | None = None

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("has(self.min) || has(self.max)", "set min, max or both"),
            ("!has(self.min) || !has(self.max) || self.min <= self.max", "min is above max"),
        )
    )


class Check(Model):
    """A test besides the schema. A failed `error` check means that no version is published."""

    rows: RowsCheck | None = None
    """Bounds on the number of rows."""
    unique: Annotated[list[Key] | None, Field(min_length=1, max_length=16, json_schema_extra=LIST_SET)] = None
    """Columns that together identify a row."""
    sql: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    """A DuckDB query over the table `data` whose first value must be true."""
    timeout: Span | None = None
    """With `sql`: how long the query may run; default `5m`. One that runs longer has failed."""
    severity: Literal["error", "warn"] = "error"
    """`warn` only reports."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            exactly_one_of("rows", "unique", "sql"),
            ("!has(self.timeout) || has(self.sql)", "timeout needs sql"),
        )
    )


class DatasetSpec(Model):
    """What the data is, and when it is good."""

    source: Source
    format: FormatName
    """How the files are written."""
    csv: Csv | None = None
    """With format csv: how CSV is written."""
    watch: Watch = Watch()
    pin: Literal["copy", "reference"] = "copy"
    """`copy` keeps the bytes in the content-addressed store; `reference` keeps S3 version ids (a versioned bucket)."""
    schema_: Annotated[Schema | None, Field(alias="schema")] = None
    checks: Annotated[list[Check], Field(max_length=64, json_schema_extra=LIST_ATOMIC)] = []
    store: S3Location | None = None
    """Where versions are kept. Default: the operator's store."""
    timeout: Span | None = None
    """How long reading and checking a listing may take. Default: `jobs.deadline` of the installation, `1h`."""
    resources: JobResources | None = None
    """What the program needs that reads and checks a listing."""
    suspend: bool = False
    """Stop looking at the source; published versions stay."""

    model_config = ConfigDict(
        json_schema_extra=cel(("!has(self.csv) || self.format == 'csv'", "csv needs format: csv"))
    )


class DatasetVersion(Model):
    """A published, immutable version."""

    version: Annotated[str, Field(max_length=16)]
    """First 16 hex digits of the manifest's digest: the same bytes are the same version."""
    digest: Annotated[str, Field(max_length=64)]
    """SHA-256 of the manifest."""
    manifest: Annotated[str, Field(max_length=1024)]
    """Where the manifest lies (`s3://…`)."""
    at: Timestamp
    rows: int = 0
    bytes: int = 0
    files: int = 0
    ignored: int = 0
    """Objects beside them that were no data when it was published."""


class CheckResult(Model):
    """What a check found."""

    check: Annotated[str, Field(max_length=128)]
    passed: bool
    severity: Literal["error", "warn"] = "error"
    message: Text = ""


class Listing(Model):
    """What the source looked like."""

    digest: Annotated[str, Field(max_length=64)]
    """SHA-256 over the sorted (key, size, ETag)."""
    since: Timestamp
    """Since when it has looked like this."""
    objects: int = 0
    bytes: int = 0
    ignored: int = 0
    """Objects that are no data, by their names or by `exclude`. They don't count for the digest."""


class CheckJob(Model):
    """The Job that reads and checks a listing."""

    name: Annotated[str, Field(max_length=63)]
    uid: Annotated[str, Field(max_length=36)] = ""
    listing: Annotated[str, Field(max_length=64)]
    attempt: int = 1
    unreadable: int = 0
    """Attempts at this listing whose answer could not be read; at most 3."""
    exceeded: int = 0
    """Attempts at this listing that came to a limit of their Job; the pause before the next one grows with each."""
    not_before: Timestamp | None = None


class DatasetStatus(StatusBase):
    """What was seen. Conditions: Ready (the source's present listing is a checked version), Reconciling, Stalled, Available
    (there is a version), SourceReachable, Valid."""

    current: DatasetVersion | None = None
    """The newest version."""
    versions: Annotated[list[DatasetVersion], Field(max_length=20, json_schema_extra=list_map("version"))] = []
    """The last 20, newest first; the store keeps all."""
    listing: Listing | None = None
    """The listing being settled, read, or last handled."""
    handled: Annotated[str, Field(max_length=64)] = ""
    """Digest of the last listing that was read to an end, whether it became a version or was refused."""
    rules: Annotated[str, Field(max_length=64)] = ""
    """Digest of the format, schema, checks and store it was read with: a change of them reads the listing again."""
    look: Annotated[str, Field(max_length=32)] | None = None
    """Which look it was for that the annotation `fairlead.dev/look` asked last, by a digest of its value."""
    job: CheckJob | None = None
    checks: Annotated[list[CheckResult], Field(max_length=64, json_schema_extra=LIST_ATOMIC)] = []
    """The last results, failed ones first."""
    reading: ShownReading | None = None
    """How the current version's files are read: what is declared, and what was inferred. A later file that does not fit
    is refused."""


class Dataset(Model):
    """Data in object storage that is watched, checked, and published as immutable versions."""

    spec: DatasetSpec
    status: DatasetStatus = DatasetStatus()
