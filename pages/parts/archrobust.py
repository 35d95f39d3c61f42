"""Robustness and sharpness on the Architecture page: ask for a training, watch it, see what it measured."""

from __future__ import annotations

from typing import Any

import streamlit as st

from nascore.benchmarks.table import Table
from nascore.codec import to_json
from nascore.errors import AppError
from nascore.measures.robustness import SAYS
from nascore.measures.sharpness import Sharpness
from nascore.runs import robust
from nascore.runs.robust import Asked, Document
from nascore.view import axes, figures_robust, words
from pages.parts import bencharch, benchdata, jobpanel, show
from pages.parts.arch import Look

NAMES = {
    "noise": "Noise",
    "blur": "Blur",
    "contrast": "Low contrast",
    "translation": "Translation",
    "fgsm": "FGSM attack",
    "pgd": "PGD attack",
}
HOW_ROBUST = (
    "How many test images are still classified right (%). A row is a way to disturb them, a column how "
    "strongly; *clean* leaves them alone. Disturbances are "
    + "; ".join(SAYS[k] for k in ("noise", "blur", "contrast", "translation"))
    + ". Attacks know the network: "
    + "; ".join(SAYS[k] for k in ("fgsm", "pgd"))
    + "."
)
HOW_LINE = (
    "The training loss when all weights are moved along one random direction in which every filter is as "
    "long as the network's own. The upright line is the network as trained."
)
HOW_PLANE = (
    "The same over two random directions; the cross is the network as trained. Colors are logarithmic. Wide "
    "rings are a flat minimum, narrow ones a sharp one."
)
RHO = Sharpness().rho
USUAL = "usual"  # in the place of a table: the network as it is on the page
SEEDS = 3  # trainings that are offered where no table says how many it has


def panel(look: Look, known: bencharch.Known) -> None:
    """What was measured of this network, or the way to measure it."""
    tables = {t.name: t for t, _ in known if robust.can_train(t)}
    try:
        asked, told = chosen(look, tables)
        asked.problem()
    except AppError as error:
        show.empty("shield", "This network cannot be trained and measured here.", str(error))
        return
    found, now = robust.result(asked), robust.standing(asked)
    if found is not None:
        drawn(found, known)
        return
    if now is None:
        show.empty(
            "shield",
            "Robustness and sharpness of this network are not known yet.",
            "They need its weights, which nobody keeps: it is trained again and measured.",
        )
    jobpanel.panel("robust", robust, asked, "Train and measure", ":material/shield:", told)


def chosen(look: Look, tables: dict[str, Table]) -> tuple[Asked, str]:
    """What the address asks for, and in words how it is trained.

    A table of the same cells may have networks of another size, which are others: they come last.
    """
    own = [n for n, t in tables.items() if (t.space or {}).get("knobs") == to_json(look.space)["knobs"]]
    ways = {n: benchdata.title(tables[n]) for n in own} | {USUAL: "this network, usual recipe"}
    ways |= {n: f"{benchdata.title(t)}, in its size" for n, t in tables.items() if n not in own}
    name = str(st.query_params.get("as", ""))
    name = name if name in ways else next(iter(ways))
    table = tables.get(name)
    seeds = list(map(int, (table.about.get("seeds") if table else None) or range(SEEDS)))
    said = str(st.query_params.get("training", ""))
    seed = int(said) if said.isdecimal() and int(said) in seeds else seeds[0]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="robust-controls"):
        if len(ways) > 1:
            st.session_state["robust_as"] = name
            st.selectbox(
                "Trained as in", list(ways), key="robust_as", width=290, on_change=_take, args=("as",),
                format_func=ways.__getitem__,
            )  # fmt: skip
        if len(seeds) > 1:
            st.session_state["robust_training"] = seed
            st.segmented_control(
                "Seed", seeds, key="robust_training", required=True, on_change=_take, args=("training",)
            )
    if table is not None:
        asked = robust.of_table(table, look.arch, seed)
    else:
        asked = robust.ask(look.space, look.arch, look.data if _is_task(look.data) else "digits", seed=seed)
    problem = asked.problem()
    epochs = problem.space.recipe(look.arch, problem.recipe).epochs
    whose = f" as in {ways[name]}" if table is not None else ""
    return asked, f"{epochs} epochs on {axes.named(problem.task.data)}{whose}, seed {seed}"


def _is_task(name: str) -> bool:
    from nascore.tables import TABLES

    return name in TABLES["task"]


def _take(name: str) -> None:
    st.query_params[name] = str(st.session_state[f"robust_{name}"])


def drawn(found: Document, known: bencharch.Known) -> None:
    """Everything that was measured."""
    t, sharp = show.theme(), found["sharpness"]
    protocol = f"{axes.named(found['data'])} · {found['epochs']} epochs · seed {found['seed']} · trained here"
    left, right = st.columns([1.15, 1], gap="medium")
    with left:
        rows = found["robustness"]
        alt = "; ".join(f"{NAMES[k]} {', '.join(f'{100 * v:.1f}' for v in rows[k])}" for k in NAMES)
        fig = figures_robust.severities(rows, NAMES, t)
        show.panel("Accuracy by disturbance and severity (%)", HOW_ROBUST, fig, "robust-severities", alt)
        st.markdown(show.chip(f"{protocol} · test · {found['images']:,} images"))
        eps = ", ".join(f"{v:g}" for v in found["attack_eps"][1:])
        st.markdown(
            f":small[:gray[Attacks may move a pixel by {eps} of the pixels' standard deviation.]] "
            + _same(found, known)
        )
        show.panel("Loss along one direction", HOW_LINE, figures_robust.line(found["line"], t), "robust-line",
                   f"Loss {number(sharp['loss'])} in the middle of a line")  # fmt: skip
        st.markdown(
            f":small[:gray[One step of length {RHO:g} up its slope, the loss rises by "
            f"**{number(sharp['rise'])}** from {number(sharp['loss'])}.]]"
        )
    with right:
        _numbers(found, protocol)
        fig = figures_robust.plane(found["plane"], t)
        show.panel("Loss over two directions", HOW_PLANE, fig, "robust-plane", "Contours of the loss")
        took = sum(found["seconds"].values())
        st.markdown(f":small[:gray[Trained and measured in {words.duration(took)}, and kept.]]")


def _numbers(found: Document, protocol: str) -> None:
    """Curvature: the largest eigenvalue and the trace, each with how far it can be trusted."""
    sharp: dict[str, Any] = found["sharpness"]
    on = f"loss of {found['sharpness_images']:,} training images · {protocol}"
    one, two = st.columns(2, gap="small")
    with one:
        show.number(
            "Top Hessian eigenvalue", number(sharp["top_eigenvalue"]), on,
            note=_sure(sharp["top_eigenvalue"], sharp["eigenvalue_residual"]),
            help="The sharpest direction: how fast the slope of the loss grows there. Lower is flatter.",
        )  # fmt: skip
    with two:
        show.number(
            "Hessian trace", number(sharp["trace"]), on,
            note=f"± {number(sharp['trace_error'])} standard error",
            help="The curvature of all directions together, estimated from random ones.",
        )  # fmt: skip


def _sure(value: float | None, residual: float | None) -> str:
    """How far an eigenvalue may be from the one that is told."""
    if value is None or residual is None:
        return ""
    return "converged" if residual < 1e-3 * abs(value) else f"± {number(residual)}, not converged"


def _same(found: Document, known: bencharch.Known) -> str:
    """Whether the table says the same of this training; empty where it says nothing."""
    for table, row in known:
        if table.name != found["table"]:
            continue
        key = str(table.frame["key"].iloc[row])
        frame = benchdata.runs(table, [key])
        if "test_accuracy" not in frame or "seed" not in frame:
            return ""
        mine = frame.loc[frame["seed"] == found["seed"], "test_accuracy"].tolist()
        if mine:
            return (
                f":small[:gray[{show.plain(benchdata.title(table))} says {words.percent(mine[0])} of this "
                f"training, here it is {words.percent(100 * found['accuracy'])}.]]"
            )
    return ""


def number(value: float | None) -> str:
    """Three digits, or the word for a value that is none."""
    return words.odd(value) or words.three(value or 0.0)
