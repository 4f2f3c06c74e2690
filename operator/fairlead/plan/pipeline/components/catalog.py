"""The Components that come with Fairlead. Adding one is a file in `builtin/` and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from fairlead.api.component import ComponentSpec
from fairlead.api.config import Images
from fairlead.plan.pipeline.components.builtin import split, sql, train_lightgbm, train_sklearn, train_xgboost
from fairlead.plan.pipeline.components.builtin.base import Builtin

BUILTINS: tuple[Builtin, ...] = (
    split.BUILTIN, sql.BUILTIN, train_lightgbm.BUILTIN, train_sklearn.BUILTIN, train_xgboost.BUILTIN,
)  # fmt: skip


def builtins(images: Images) -> Mapping[str, ComponentSpec]:
    """Those that this installation has images for, by name. The same mapping again for the same images."""
    return _made(BUILTINS, images.worker, images.trainer or "")


def without_image(images: Images) -> frozenset[str]:
    """Names of those that the installation has no image for."""
    return frozenset(one.name for one in BUILTINS if one.trains and not images.trainer)


@lru_cache(maxsize=8)
def _made(listed: tuple[Builtin, ...], worker: str, trainer: str) -> Mapping[str, ComponentSpec]:
    images = {one: trainer if one.trains else worker for one in listed}
    return {one.name: one.spec(image) for one, image in sorted(images.items(), key=lambda i: i[0].name) if image}
