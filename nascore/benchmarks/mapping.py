"""Which column of a table is what: a person's mapping, checked against the columns, and guesses for the rest.

What a mapping may say stands in flat.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nascore.benchmarks.piece import Held, guess
from nascore.benchmarks.table import PREFIX, TRAINED_ROW
from nascore.errors import BadInput
from nascore.space import Space

Frame = Any  # a pandas frame or column; pandas' own annotations do not follow what columns hold
FORMATS = ("official", "key", "choices", "columns", "nats_index", "text")
ARCHS = ("arch_str", "architecturestring", "arch_json", "arch", "architecture", "genotype", "arch_string",
         "text", "key", "edge_codes", "config", "module_hash", "arch_index", "arch_id", "arch_hash",
         "recipe_id", "index", "iso_index")  # fmt: skip
DATA = ("dataset", "device", "framework", "task", "data", "benchmark", "space", "split")
SETTINGS = ("resolution", "batch_size")  # numbers that part the rows where an arch stands there several times
INDICES = re.compile(
    r"(.*_)?(index|idx|id|hash|count|resolution|n_epochs|n_vertices)|batch_size|step|adjacency|op_codes"
)
RESERVED = {"arch", "data", "index", "seed", "epochs", "epoch", "row", "key", "text", TRAINED_ROW}
ABOUT = ("name", "title", "direction", "unit", "data", "split", "source", "epochs")
MISSING = {"", "nan", "na", "n/a", "none", "null", "inf", "-inf", "infinity", "-infinity", "+inf"}


@dataclass(frozen=True)
class Reading:
    """A mapping, checked and whole."""

    arch: tuple[str, ...]
    format: str
    space: Space | None
    data: tuple[str, ...] = ()
    seed: str = ""
    epochs: str = ""
    epoch: str = ""
    index: str = ""
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    source: str = ""

    def to_json(self) -> dict[str, Any]:
        """As a person would write it."""
        first, *others = self.arch
        arch: Any = [first, *others] if others else first
        named = {
            n: getattr(self, n) for n in ("seed", "epochs", "epoch", "index", "source") if getattr(self, n)
        }
        return {
            "arch": arch,
            "format": self.format,
            "data": list(self.data),
            **named,
            "metrics": self.metrics,
        }


def settle(frame: Frame, held: Held, given: Mapping[str, Any], space: Space | None) -> Reading:
    """The whole mapping: what was given, checked against the columns, and guesses for the rest.

    Raises:
        BadInput: a column is named that is not there, or a word that means nothing here.
    """
    known = {"arch", "format", "space", "data", "seed", "epochs", "epoch", "index", "metrics", "source"}
    if extra := [n for n in given if n not in known]:
        raise BadInput(f"mapping.{extra[0][:80]}: no such field; there are {', '.join(sorted(known))}")
    columns = [str(c) for c in frame.columns]
    lower = {c.lower(): c for c in reversed(columns)}
    where = {
        n: _columns(given.get(n), columns, f"mapping.{n}")
        for n in ("arch", "data", "seed", "epochs", "epoch", "index")
    }
    data = where["data"] if "data" in given else _guess_data(frame, lower)
    space = space or _space(given.get("space"))
    arch = where["arch"] or _guess_arch(frame, lower, data)
    if "data" not in given:
        data = (*(c for c in data if c not in arch), *_settings(frame, lower, arch, data))
    how = given.get("format") or _guess_format(frame, arch, space, held.name)
    if how not in FORMATS:
        raise BadInput(f"mapping.format: {str(how)[:80]!r} is none of {', '.join(FORMATS)}")
    space = space or _claims(frame, arch, how)
    if how in ("official", "key", "choices", "columns") and space is None:
        from nascore.spaces import SPACES

        raise BadInput(f"mapping.format: {how} needs a space, as mapping.space, one of {', '.join(SPACES)}")
    single = {
        n: (where[n] or _named(lower, n if n not in given else ""))[:1]
        for n in ("seed", "epochs", "epoch", "index")
    }
    if not single["index"] and "index" not in given:
        exported = "index" in columns and {"key", "text"} <= set(columns)  # by `table export`
        single["index"] = ("arch_index",) if "arch_index" in columns else ("index",) * exported
    taken = {*arch, *data, *(c for s in single.values() for c in s)}
    metrics = _metrics(given.get("metrics"), frame, taken)
    one = {n: c[0] if c else "" for n, c in single.items()}
    if one["index"] in arch and how != "nats_index":
        one["index"] = ""
    return Reading(arch, how, space, data, **one, metrics=metrics, source=str(given.get("source", "")))


def _columns(value: Any, columns: Sequence[str], path: str) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else []
    if value and not names:
        raise BadInput(f"{path}: expected the name of a column, or a list of names")
    for name in names:
        if name not in columns:
            raise BadInput(
                f"{path}: there is no column {str(name)[:80]!r}; there are {', '.join(columns)[:400]}"
            )
    return tuple(names)


def _named(lower: Mapping[str, str], name: str) -> tuple[str, ...]:
    names = {"seed": ("seed", "repeat"), "epochs": ("epochs", "hp"), "epoch": ("epoch",), "index": ()}.get(
        name, ()
    )
    return tuple(lower[n] for n in names if n in lower)


def _space(given: Any) -> Space | None:
    from nascore.spaces import SPACES

    if given is None:
        return None
    name = given.get("name") if isinstance(given, dict) else given
    if not isinstance(name, str) or name not in SPACES:
        raise BadInput(f"mapping.space: {str(name)[:80]!r} is none of {', '.join(SPACES)}")
    return SPACES[name]()


def _guess_data(frame: Frame, lower: Mapping[str, str]) -> tuple[str, ...]:
    named = [lower[n] for n in DATA if n in lower and not _is_number(frame[lower[n]])]
    return tuple(c for c in named if c.lower() not in ("space", "split") or frame[c].nunique() > 1)


def _guess_arch(frame: Frame, lower: Mapping[str, str], data: Sequence[str]) -> tuple[str, ...]:
    named = [lower[n] for n in ARCHS if n in lower]
    if named:
        return (named[0],)
    texts = [c for c in frame.columns if not _is_number(frame[c]) and c not in data]
    if texts:
        best = max(texts, key=lambda c: frame[c].nunique())
        if not data and (n := frame[best].nunique()) * 10 < len(frame):
            raise BadInput(
                f"no column looks like an architecture: {best} has {n:,} values in {len(frame):,} rows; name "
                f"the right one in the mapping, as arch: {', '.join(map(str, frame.columns))[:300]}"
            )
        return (str(best),)
    features = tuple(str(c) for c in frame.columns if guess(str(c))[0] == "" and c not in data)
    if not features:
        raise BadInput(
            f"no column looks like an architecture; name it in the mapping: {', '.join(frame.columns)[:400]}"
        )
    return features


def _settings(
    frame: Frame, lower: Mapping[str, str], arch: Sequence[str], data: Sequence[str]
) -> tuple[str, ...]:
    """Columns such as the resolution, where only they tell rows of the same arch apart."""
    others = [lower[n] for n in SETTINGS if n in lower and lower[n] not in arch]
    by = [*arch, *data]
    if not others or not frame.duplicated(by).any() or frame.duplicated([*by, *others]).any():
        return ()
    return tuple(others)


def _guess_format(frame: Frame, arch: Sequence[str], space: Space | None, name: str) -> str:
    if space is not None and len(arch) == len(space.choices()):
        return "columns"
    if len(arch) > 1:
        return "text"
    sample = [str(v) for v in frame[arch[0]].head(50)]
    if space is not None:
        return (
            "choices"
            if sample[0].startswith("{")
            else "key"
            if re.fullmatch("[0-9a-f]{16}", sample[0])
            else "official"
        )
    if _claims(frame, arch, "official") is not None:
        return "official"
    is_index = arch[0] in ("arch_index", "iso_index") and re.search(
        r"nb201|nasbench201|nats.?tss", name.lower()
    )
    return "nats_index" if is_index else "text"


def _claims(frame: Frame, arch: Sequence[str], how: str) -> Space | None:
    """The space of which these texts are, among those with official texts."""
    from nascore.spaces.cell import Cell
    from nascore.spaces.nasbench201 import Nasbench201
    from nascore.spaces.nats_size import NatsSize

    if how == "nats_index":
        return Nasbench201()
    if how != "official":
        return None
    sample = [str(v) for v in frame[arch[0]].head(50)]
    own = [str(c).removeprefix(PREFIX) for c in frame.columns if str(c).startswith(PREFIX)]
    drawn = [s for s in (Cell(),) if own == [c.name for c in s.choices()]]  # a table that was exported here
    for space in (Nasbench201(), NatsSize(), *drawn):
        if sum(space.read(t) is not None for t in sample) * 2 > len(sample):
            return space
    return None


def _metrics(given: Any, frame: Frame, taken: set[str]) -> dict[str, dict[str, Any]]:
    columns = [str(c) for c in frame.columns]
    if given is None:
        left = [c for c in columns if c not in taken | RESERVED and _is_number(frame[c])]
        found = {c: {} for c in left if not (INDICES.fullmatch(c.lower()) or c.startswith(PREFIX))}
        if not found:
            raise BadInput(
                f"no column looks like a metric; name them in the mapping: {', '.join(columns)[:400]}"
            )
        return found
    about = {name: {} for name in given} if isinstance(given, list) else given
    if not isinstance(about, dict) or not about:
        raise BadInput("mapping.metrics: expected a list of columns, or an object of column -> what it is")
    for name, one in about.items():
        if name in RESERVED:
            raise BadInput(
                f"mapping.metrics: a metric cannot come from a column called {name!r}; rename the column"
            )
        _columns(name, columns, "mapping.metrics")
        if not isinstance(one, dict) or one.get("direction", "") not in ("", "min", "max"):
            raise BadInput(f"mapping.metrics.{name[:80]}: expected an object with direction min or max")
        for field_name, value in one.items():
            wanted = int if field_name == "epochs" else str
            if field_name not in ABOUT or not isinstance(value, wanted) or isinstance(value, bool):
                raise BadInput(
                    f"mapping.metrics.{name[:80]}.{str(field_name)[:40]}: there are {', '.join(ABOUT[:-1])}, "
                    "which are texts, and epochs, a whole number"
                )
    return {n: dict(one) for n, one in about.items()}


def _is_number(column: Frame) -> bool:
    """Whether a column holds numbers; of text the first rows decide, so that a late word is named."""
    if column.dtype.kind in "iuf":
        return True
    filled = [v for v in map(word, column.head(200)) if v not in MISSING]
    right = sum(_float(v) is not None for v in filled)
    return right * 2 > len(filled) or (right > 0 and guess(str(column.name))[0] != "")


def word(value: object) -> str:
    """A cell as text, in small letters."""
    return "" if value is None else str(value).strip().lower()


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def numbers(values: Frame, name: str, before: int) -> tuple[np.ndarray[Any, Any], int]:
    """((n,) numbers with NaN where one is missing, how many are missing).

    Raises:
        BadInput: a word, with its row and column.
    """
    if values.dtype.kind in "iufb":
        out = values.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        out = np.full(len(values), np.nan)
        for i, value in enumerate(values):
            said = word(value)
            if said in MISSING or said == "<na>":
                continue
            found = _float(said)
            if found is None:
                raise BadInput(f"row {before + i + 1}, column {name}: {str(value)[:40]!r} is no number")
            out[i] = found
    out = np.where(np.isfinite(out), out, np.nan)
    return out, int(np.isnan(out).sum())
