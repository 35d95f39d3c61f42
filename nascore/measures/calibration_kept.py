"""All 102 measures of the calibration study, of the networks of a table whose logits are kept.

Fifty before and fifty after temperature scaling (`pre_ece_15`, `post_ece_15`, ...), and how well entropy
tells test images from two kinds of outside images (`auc_noise`, `auc_photographs`; the study's are
CIFAR-10-C's noise and SVHN). One training a network. Temperature and all other methods are fitted on
validation logits. `nascore.benchmarks.logits` makes the file.

Source: A Benchmark Study on Calibration (Tao et al., ICLR 2024).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nascore.errors import BadInput
from nascore.measures.calibration import BINNED, BINS, FAMILIES, NAMES, family, measures, softmax, title
from nascore.measures.calibration_checks import Predictions
from nascore.measures.calibration_report import auroc, entropy
from nascore.measures.calibration_scaling import fit, temperatures

if TYPE_CHECKING:
    from pathlib import Path

    from nascore.benchmarks.table import Table

Floats = NDArray[np.float64]
FILE, STEP = "logits.npz", 64
ROBUST = "robust_"
OUTSIDE = ("noise", "photographs")
AUROCS = tuple(f"auc_{n}" for n in OUTSIDE)
STATES = {"pre": "before scaling", "post": "after scaling"}
ALL_NAMES: tuple[str, ...] = (*(f"{s}_{n}" for s in STATES for n in NAMES), *AUROCS)
MENDED = ("ece_15", "ece_em_15", "cwce_15", "mce_15", "ksce", "nll", "brier")


@dataclass(frozen=True)
class KeptLogits:
    """What some networks of a table say of every image.

    Attributes:
        table: its name.
        data: what they were trained on.
        epochs: for so long.
        seed: of the one training that each has.
        keys: (networks,).
        logits: `validation`, `test`, `noise`, `photographs` -> (networks, images, classes) in 64ths.
        labels: `validation`, `test` -> (images,).
        robust: `noise_1` ... `pgd_3` of `measures.robustness` -> (networks,) shares; empty where unknown.
    """

    table: str
    data: str
    epochs: int
    seed: int
    keys: NDArray[Any]
    logits: dict[str, NDArray[np.int16]]
    labels: dict[str, NDArray[np.int64]]
    robust: dict[str, Floats] = field(default_factory=dict)

    def of(self, part: str, chosen: Any = slice(None)) -> Floats:
        """(networks, images, classes) logits of a part."""
        return self.logits[part][chosen].astype(np.float64) / STEP

    def predictions(self, key: str) -> tuple[Predictions, Predictions, dict[str, Predictions]] | None:
        """Test, validation and outside predictions of one network; None where it is not among them."""
        at = np.flatnonzero(self.keys == key)
        if not len(at):
            return None
        held = {p: self.of(p, int(at[0])) for p in self.logits}
        said = {
            p: Predictions(p, softmax(z), self.labels.get(p, np.empty(0, np.int64)), z)
            for p, z in held.items()
        }
        return said["test"], said["validation"], {n: said[n] for n in OUTSIDE}

    @property
    def protocol(self) -> str:
        """How these networks came about, in a line."""
        n, held = (len(self.labels[p]) for p in ("test", "validation"))
        return (
            f"{self.data} · test · {n:,} samples · scaled on {held:,} of validation · {self.epochs} epochs · "
            f"seed {self.seed} · {len(self.keys)} networks"
        )


def has(folder: Path) -> bool:
    """Whether a table's folder keeps logits."""
    return (folder / FILE).is_file()


def read(table: Table) -> KeptLogits:
    """What logits.npz beside a table holds.

    Raises:
        BadInput: there is none, or it is damaged.
    """
    try:
        with np.load(table.folder / FILE, allow_pickle=False) as held:
            logits = {p: held[p] for p in ("validation", "test", *OUTSIDE)}
            labels = {p: held[f"{p}_labels"].astype(np.int64) for p in ("validation", "test")}
            keys, seed = held["keys"], int(held["seed"])
            beside = {n: held[n].astype(np.float64) for n in held.files if n.startswith(ROBUST)}
    except FileNotFoundError as error:
        raise BadInput(f"{table.name}: keeps no logits of its networks") from error
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{table.name}: {FILE} is damaged ({str(error)[:120]})") from error
    robust = {n.removeprefix(ROBUST): v for n, v in beside.items() if n != f"{ROBUST}accuracy"}
    protocol = next((c.protocol for c in table.columns.values() if c.protocol.epochs), None)
    data, epochs = (protocol.data, protocol.epochs) if protocol else ("", 0)
    return KeptLogits(table.name, data, epochs, seed, keys, logits, labels, robust)


def everything(kept: KeptLogits) -> dict[str, Floats]:
    """Name -> (networks,): the 102 of `ALL_NAMES`, and `accuracy`, `val_accuracy` and `temperature`.

    NaN where a measure does not exist, such as 500 bins of equal mass for 400 images.
    """
    test, held, y = kept.of("test"), kept.of("validation"), kept.labels
    found = temperatures(held, y["validation"])
    out = {f"pre_{n}": v for n, v in measures(softmax(test), y["test"]).items()}
    mended = softmax(test / found[:, None, None])
    out |= {f"post_{n}": v for n, v in measures(mended, y["test"]).items()}
    near = [entropy(p) for p in softmax(test)]
    for part in OUTSIDE:
        far = [entropy(p) for p in softmax(kept.of(part))]
        out[f"auc_{part}"] = np.array([auroc(a, b) for a, b in zip(near, far, strict=True)])
    out["accuracy"] = (test.argmax(-1) == y["test"]).mean(1)
    out["val_accuracy"] = (held.argmax(-1) == y["validation"]).mean(1)
    return out | {"temperature": found}


def mended(kept: KeptLogits, method: str) -> dict[str, Floats]:
    """Measures of all networks before and after one post-hoc method: name -> (networks,).

    Args:
        kept: gives the logits; the method is fitted to each network's own validation logits.
        method: one of `calibration_scaling.METHODS`.

    Returns:
        `MENDED` and `accuracy`, each also with `post_` before it.
    """
    test, held, y = kept.of("test"), kept.of("validation"), kept.labels
    post = np.stack([fit(method, v, y["validation"]).apply(z) for v, z in zip(held, test, strict=True)])
    out: dict[str, Floats] = {}
    for prefix, p in (("", softmax(test)), ("post_", post)):
        out |= {f"{prefix}{n}": v for n, v in measures(p, y["test"], MENDED).items()}
        out[f"{prefix}accuracy"] = (p.argmax(-1) == y["test"]).mean(1)
    return out


def called(name: str) -> str:
    """What people call one of the 102: `ECE, 15 bins, before scaling`."""
    if name in AUROCS:
        return f"AUROC, {name.removeprefix('auc_')}"
    state, _, stem = name.partition("_")
    return f"{title(stem)}, {STATES[state]}"


def by_family() -> list[str]:
    """The 102 in a picture's order: families by numbers of bins, before and after scaling, then the rest."""
    some = [[f"{s}_{f}_{b}" for b in BINS] for f in BINNED for s in STATES]
    alone = [f"{s}_{f}" for s in STATES for f in FAMILIES if f not in BINNED]
    return [*(n for part in some for n in part), *alone, *AUROCS]


def group(name: str) -> str:
    """The block of a picture that a measure belongs to."""
    if name in AUROCS:
        return "AUROC"
    state, _, stem = name.partition("_")
    head, bins = family(stem)
    return f"{FAMILIES[head].title if bins else 'Without bins'}, {STATES[state].split()[0]}"
