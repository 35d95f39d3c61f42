"""A Benchmark Study on Calibration (Tao et al., 2024): its seven questions, asked of the shipped tables.

Nothing is trained: the tables keep for every training a histogram of confidence over its test images, before
and after temperature scaling, and of eighty networks the logits. Each question has one claim, decided on the
table that fits it best; the other tables, and what only logits can say, stand beside it. Intervals are over
architectures, classes of equal networks counted once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from nascore.benchmarks.table import Table, open_table
from nascore.kinds import knob
from nascore.measures import calibration_kept, calibration_logits
from nascore.measures import calibration_questions as questions
from nascore.measures.calibration import short
from nascore.measures.calibration_questions import Answer
from nascore.measures.calibration_table import Histograms, Measured, histograms, measured
from nascore.stats import Interval
from nascore.studies import claim
from nascore.studies.claim import Claim
from nascore.studies.study import Kept, Measuring, Progress, Results, Study

DIGITS, MNIST, SIZES = "nasbench_digits", "nasbench_mnist5k", "natssize_digits"
TITLES = {DIGITS: "cells on digits", MNIST: "cells on MNIST", SIZES: "widths on digits"}
BELOW_0 = (-math.inf, 0.0)
CELLS = (
    "5,044 small cells, 10 epochs on digits, means over 3 seeds; the study's have 200 epochs on CIFAR-10 and "
    "one seed."
)
NUMBERS = {
    "robustness": "noise 0.5, all minus",
    "measures": ("ECE-15 and KS error of 100 bins", "ECE-15 and MMCE of 100 bins"),
    "scaling": "accuracy's minus ECE's",
    "accuracy": "upper half",
    "bins": "ECE-15 and ECE-100, before minus after",
    "designs": ("total width and ECE", "kernel parameters and ECE"),
}
FROM_LOGITS = tuple(f"ECE-15 and {short(n)}, before" for n in ("ece_em_15", "kdece", "cwce_15", "cwce_em_15"))
BESIDE = {
    "data": ("accuracy minus ECE", "ECE, digits and mnist5k", "ECE, two seeds of digits", "ECE among the"),
    "robustness": ("noise 0.5, all", "noise 0.5, 100 most accurate"),
    "measures": ("ECE-15 and MCE-20", "ECE-15 and ECE-100"),
    "scaling": ("ECE before and after", "share that got worse"),
    "accuracy": ("all", "100 most accurate"),
    "bins": ("ECE-15 and ECE-100, after", "ECE-15 and ECE-5, after"),
    "designs": ("parameters and accuracy",),
}


@dataclass(frozen=True)
class CalibrationStudy(Study):
    """One claim a question; all from histograms."""

    key: ClassVar[str] = "calibration_study"
    claims: ClassVar[tuple[Claim, ...]] = (
        Claim(
            "data",
            "Calibration does not carry over between data sets: Kendall's tau of ECE-15 between two seeds of "
            "one data set, minus that between two data sets",
            "above 0; between data sets 0.14 to 0.66 in the released results, seeds were not tried",
            scale="1,000 cells on digits and on MNIST instead of 15,625 on CIFAR-10, CIFAR-100 and "
            "ImageNet16. Seeds say how much of the loss is noise.",
        ),
        Claim(
            "robustness",
            "Robustness can stand for calibration among accurate networks only: tau of ECE-15 and accuracy "
            "under noise over all networks, minus that among the 100 most accurate, where it should be lower",
            "above 0",
            scale=f"Gaussian noise of 0.5 on the pixels instead of attacks and 15 corruptions. {CELLS}",
        ),
        Claim(
            "measures",
            "KS error and MMCE agree with ECE-15: the lower of their two taus with it",
            "above 0.7; 0.91 to 0.98 in the released results",
            (0.7, math.inf),
            scale=f"Both from 100 bins. {CELLS}",
        ),
        Claim(
            "scaling",
            "Who is well calibrated before temperature scaling need not be after: tau of accuracy on "
            "validation and test, minus tau of ECE-15 before and after",
            "above 0; before and after agree with 0.07 in the released results",
            scale=CELLS,
        ),
        Claim(
            "accuracy",
            "Among accurate networks, the more accurate are better calibrated: tau of accuracy and ECE-15 in "
            "the more accurate half",
            "below 0",
            BELOW_0,
            scale=f"The upper half instead of all above 90 %. {CELLS}",
        ),
        Claim(
            "bins",
            "The number of bins matters more after scaling: tau of ECE-15 and ECE-100 before, minus after",
            "above 0; from 0.70 to 0.21 with 500 bins in the released results",
            scale=f"100 bins, the most that the tables keep, instead of 500. {CELLS}",
        ),
        Claim(
            "designs",
            "Wider networks are worse calibrated: tau of total width and ECE-15",
            "above 0 on CIFAR-100 and ImageNet16, about 0 on CIFAR-10",
            scale="1,024 of 32,768 networks, 5 epochs on digits instead of 90; one seed. Digits are easier "
            "than any of the study's data sets.",
        ),
    )
    left: ClassVar[str] = (
        "No claim is decided on equal mass, classwise and kernel density errors, 200 and 500 bins, attacks "
        "or out-of-distribution images: those of the networks with kept logits, one training each, stand "
        "beside."
    )

    seeds: int = knob(3, 1, 3, "trainings of each architecture that are averaged")
    archs: int = knob(15_625, 30, 15_625, "architectures of each table at most, those with the least keys")

    def measure(self, kept: Kept) -> Measuring:
        """Reads the tables, then asks question by question."""
        total = len(TITLES) + len(questions.QUESTIONS)
        tables, held = {}, {}
        for i, name in enumerate(TITLES):
            yield Progress(i, total, f"reading {name}")
            tables[name] = open_table(name)
            held[name] = self.some(measured(tables[name]))
        answers: dict[str, dict[str, Answer]] = {}
        for i, question in enumerate(questions.QUESTIONS):
            yield Progress(len(TITLES) + i, total, questions.QUESTIONS[question])
            answers[question] = asked(question, tables, held)
        yield Progress(total - 1, total, "all measures of the networks with kept logits")
        return judge(answers, by_logits(tables))

    def some(self, m: Measured) -> Measured:
        """Its first architectures and seeds."""
        few = m.only(np.argsort(m.keys)[: self.archs])
        values = {n: v[:, : self.seeds] for n, v in few.values.items()}
        return replace(few, seeds=few.seeds[: self.seeds], values=values)


def asked(question: str, tables: dict[str, Table], held: dict[str, Measured]) -> dict[str, Answer]:
    """The answers of the tables to one question, by table; that between two stands under the first."""
    match question:
        case "data":
            return {DIGITS: questions.across_data(held[DIGITS], held[MNIST])}
        case "bins":
            return {n: questions.bin_numbers(m, only(histograms(tables[n]), m)) for n, m in held.items()}
        case "designs":
            return {n: questions.designs(m, tables[n]) for n, m in held.items()}
    return {n: questions.ONE_TABLE[question](m) for n, m in held.items()}


def only(kept: Histograms, m: Measured) -> Histograms:
    """The histograms of these architectures and seeds."""
    use = np.isin(kept.keys, m.keys) & np.isin(kept.seeds, m.seeds)
    pairs: Any = [(a[use], b[use]) for a, b in (kept.count, kept.right, kept.place)]
    return Histograms(kept.keys[use], kept.seeds[use], *pairs)


def by_logits(tables: dict[str, Table]) -> dict[str, claim.Measured]:
    """What histograms cannot say, from the networks whose logits are kept; nothing where there are none."""
    kept = {n: calibration_kept.read(t) for n, t in tables.items() if calibration_kept.has(t.folder)}
    values = {n: calibration_kept.everything(k) for n, k in kept.items()}
    told: dict[str, claim.Measured] = {}
    if DIGITS in kept and MNIST in kept:
        carried = calibration_logits.across_data(kept[DIGITS], values[DIGITS], kept[MNIST], values[MNIST])
        told |= {f"Data: {n}, with kept logits": v for n, v in carried.numbers.items()}
    for name, held in kept.items():
        where = f"{TITLES[name]} with kept logits"
        agree = calibration_logits.agreement(held, values[name]).numbers
        outside = calibration_logits.robustness(held, values[name]).numbers
        bins = calibration_logits.bin_numbers(held, values[name]).numbers
        told |= {f"Robustness: ECE and {n}, {where}": v for n, v in outside.items() if "after" not in n}
        told |= {f"Measures: {n}, {where}": agree[n] for n in FROM_LOGITS}
        told |= {f"Bins: {n}, {where}": v for n, v in bins.items() if "500" in n}
    return told


def judge(answers: dict[str, dict[str, Answer]], more: dict[str, claim.Measured]) -> Results:
    """What each claim is decided on; beside it the same of the other tables, and more numbers."""
    found: dict[str, claim.Measured] = {}
    beside: dict[str, claim.Measured] = {}
    rows: list[tuple[str, Interval]] = []
    for one in CalibrationStudy.claims:
        mine = SIZES if one.key == "designs" else DIGITS
        for table, answer in answers[one.key].items():
            number = deciding(answer)
            if table == mine:
                found[one.key] = number
                where = f", {TITLES[table]}" if one.key != "data" else ""
                told = {n: answer.numbers[n] for n in _told(answer)} | _more(answer)
                beside |= {f"{one.key.capitalize()}: {n}{where}": v for n, v in told.items()}
            else:
                beside[f"{one.key.capitalize()}: the claim's number, {TITLES[table]}"] = number
            rows.append((f"{one.key}, {TITLES[table]}" if one.key != "data" else one.key, number))
    return Results(found, beside | more, _picture(rows))


def deciding(answer: Answer) -> Interval:
    """The number of an answer that its claim is decided on; without bounds where it is not there."""
    if answer.key == "data":
        one_seed = Interval(math.nan, math.nan, math.nan, answer.n)
        return answer.numbers.get("ECE, two seeds minus two data sets", one_seed)
    wanted = NUMBERS[answer.key]
    some = [v for n, v in answer.numbers.items() if n.startswith(wanted)]
    return min(some, key=lambda v: v.value)


def _told(answer: Answer) -> list[str]:
    """Names of the numbers that are shown beside the claim."""
    wanted = BESIDE[answer.key]
    exact = [n for n in answer.numbers if n in wanted]
    return exact + [n for n in answer.numbers if n.startswith("ECE among") and answer.key == "data"]


def _more(answer: Answer) -> dict[str, claim.Measured]:
    """What chance or another order of networks would give."""
    match answer.key:
        case "robustness":
            worst = answer.figure["lines"]["noise 0.5, worst first"]
            few = min(worst, key=lambda v: abs(v.n - questions.TOP))
            return {f"noise 0.5, {few.n} least accurate": few}
        case "bins":
            share = answer.figure["floor"][1][-1] / answer.figure["median"][1][-1]
            return {"median ECE-100 after scaling that chance alone gives, share": share}
    return {}


def _picture(rows: list[tuple[str, Interval]]) -> dict[str, Any]:
    """Every number that a claim is decided on, each table's own."""
    shown = [(n, v) for n, v in rows[::-1] if math.isfinite(v.low)]
    return {
        "kind": "whiskers",
        "title": "What the claims are decided on",
        "how": "Each dot is the number of one claim on one table, a Kendall's tau or a difference of two, "
        "with a 95 % interval over architectures. The claim says on which side of 0 it should lie; "
        "for measures it should be above 0.7.",
        "x": "Kendall's tau, or difference of two",
        "names": [n for n, _ in shown],
        "values": [v.value for _, v in shown],
        "low": [v.low for _, v in shown],
        "high": [v.high for _, v in shown],
        "zero": True,
    }
