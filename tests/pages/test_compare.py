from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from nascore.benchmarks import table as benchmark
from nascore.events import Chosen, Life, Step, Tried
from nascore.runs import journal as journals
from nascore.runs import launch
from nascore.runs.journal import Journal, Reader
from nascore.runs.spec import from_document
from nascore.space import sample, tuples
from tests.evaluators import tables
from tests.pages.conftest import RUN, Open, asked, home, raw, said, visit, write_broken, write_run
from tests.view.figures import spec as figure

__all__ = ["home", "visit"]
SPACE = {"name": "nasbench201", "knobs": {"cells": 1, "stages": 1, "channels": 8, "stem_stride": 2}}
BUDGET = 24


@pytest.fixture
def made(home: Path) -> Path:
    tables.made(home, curves=False)
    return home


def write(
    home: Path, strategy: str, seed: int, *, end: str = "Finished", n: int = BUDGET, **more: Any
) -> str:
    """A run on the table, its architectures drawn at random: numbers without a process of its own."""
    document = {
        "v": 1,
        "space": SPACE,
        "evaluator": "tabular",
        "strategy": strategy,
        "budget": {"evaluations": BUDGET},
        "seed": seed,
        **more,
    }
    spec = from_document(document)
    run = launch.new_id()
    folder = home / "runs" / run
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps(spec.to_json()))
    journal = Journal(folder)
    about: dict[str, str | float] = {
        "data": "digits",
        "split": "validation",
        "epochs": 4.0,
        "seeds": "2 seeds",
    }
    journal.append(Life("Started", about={**about, "source": "table nasbench_digits", "cpu": "one"}))
    shift = 1 if strategy == "random_search" else 0
    archs = tuples(np.unique(sample(spec.space, 4 * n, np.random.default_rng([seed, shift])), axis=0))
    order = np.random.default_rng(seed).permutation(len(archs))[:n]
    for i in order:
        total = sum(archs[i])
        metrics = {"error": 0.8 - 0.02 * total, "test_error": 0.81 - 0.02 * total, "params": 100.0 + total}
        spent = {"seconds": 0.01, "epochs": 4.0, "simulated_seconds": 10.0 + total}
        journal.append(Tried(archs[i], metrics, spec.evaluator.key, spent))
    if end:
        journal.append(Chosen(archs[order[0]], "it was the first"))
        journal.append(Life(end))  # type: ignore[arg-type]
    journal.close()
    return run


def two(home: Path, seeds: int = 6, **more: Any) -> tuple[list[str], list[str]]:
    random = [write(home, "random_search", s, **more) for s in range(seeds)]
    return random, [write(home, "regularized_evolution", s, **more) for s in range(seeds)]


def errors(run: str) -> np.ndarray:
    """Errors in percent as the journal has them, read by nothing of the page."""
    rows = Reader(launch.folder(run) / "journal.jsonl").read()
    return np.round([100 * r["metrics"]["error"] for r in rows if r["kind"] == "Tried"], 9)


def test_without_runs_the_page_says_what_to_do_and_links_to_a_filled_in_search(
    visit: Open, made: Path
) -> None:
    at = visit("compare")
    assert "No run with results yet" in said(at)
    links = [e.proto for e in at.get("page_link")]
    assert len(links) == 2
    assert launch.runs() == []  # nothing starts by itself
    query = links[0].query_string
    assert "random_search" in query
    assert "tabular" in query


def test_the_curves_are_the_mean_best_so_far_of_each_method(visit: Open, made: Path) -> None:
    random, evolution = two(made, 4)
    at = visit("compare", runs=",".join(random + evolution))
    lines = {t["name"]: t for t in figure(at, 0)["data"] if t.get("name")}
    assert list(lines) == ["random search", "regularized evolution"]
    for runs, name in ((random, "random search"), (evolution, "regularized evolution")):
        best = np.stack([np.minimum.accumulate(errors(r)) for r in runs])
        x = np.array(read_array(lines[name]["x"]))
        np.testing.assert_allclose(read_array(lines[name]["y"]), best.mean(0)[x.astype(int) - 1])
        assert x[-1] == BUDGET


def read_array(value: Any) -> list[float]:
    """Numbers of a figure, which plotly may pack."""
    if isinstance(value, dict):
        import base64

        return np.frombuffer(base64.b64decode(value["bdata"]), value["dtype"]).tolist()
    return list(value)


def test_the_test_of_two_methods_is_scipys_by_seed(visit: Open, made: Path) -> None:
    random, evolution = two(made)
    at = visit("compare", runs=",".join(random + evolution))
    a, b = (np.array([errors(r).min() for r in runs]) for runs in (random, evolution))
    row = at.dataframe[1].value.iloc[0]
    assert "be told apart from it" in said(at)
    assert "1 others" not in said(at)
    assert row["n"] == "6 pairs"
    assert row["pair"] == "random search - regularized evolution"
    assert float(row["p"]) == pytest.approx(stats.wilcoxon(a, b).pvalue, rel=0.01)
    low, high = stats.ttest_rel(a, b).confidence_interval()
    assert row["difference"] == f"{(a - b).mean():.3f} [{low:.3f}, {high:.3f}]"
    values = at.dataframe[0].value["value"].tolist()
    assert values[0].startswith(f"{a.mean():.2f} [")
    regret = at.dataframe[0].value["regret"].tolist()
    assert regret[1].startswith(f"{b.mean() - 32:.3f} [")  # the best of the table has an error of 32 percent


def test_improvement_is_told_over_the_mean_of_the_table_or_what_random_search_drew(
    visit: Open, made: Path
) -> None:
    random, evolution = two(made, 5)
    at = visit("compare", runs=",".join(random + evolution))
    found = 100 - np.array([errors(r).min() for r in evolution])
    mean = 44.0  # six choices of five options: 20 + 2 * 12
    dots = [t for t in figure(at, 2)["data"] if t.get("mode") == "markers"]
    assert read_array(dots[1]["x"])[0] == pytest.approx(100 * (found.mean() - mean) / mean)
    assert "accuracy 44.00 %" in said(at)
    key = [k for k in at.selectbox(key="compare_base").options if "drew" in k]
    assert key == ["what random search drew"]
    at.selectbox(key="compare_base").select_index(1).run()
    drawn = 100 - np.concatenate([errors(r) for r in random])
    dots = [t for t in figure(at, 2)["data"] if t.get("mode") == "markers"]
    assert read_array(dots[1]["x"])[0] == pytest.approx(100 * (found.mean() - drawn.mean()) / drawn.mean())
    assert len(asked(at, "base")) == 8


def test_the_address_opens_the_same_view_and_the_form_writes_it(visit: Open, made: Path) -> None:
    random, evolution = two(made, 2)
    at = visit("compare", runs=",".join([*random, evolution[0]]), by="test_error", over="simulated_seconds")
    shown = figure(at, 0)["layout"]
    assert shown["yaxis"]["title"]["text"] == "Best so far: Test error (%)"
    assert shown["xaxis"]["title"]["text"] == "Simulated training time (s)"
    assert "digits · test" in said(at)
    at.selectbox(key="compare_over").set_value("seconds").run()
    assert asked(at, "over") == "seconds"
    at.selectbox(key="compare_over").set_value("evaluations").run()
    assert "over" not in at.query_params
    at.multiselect(key="compare_runs").set_value(random).run()
    assert asked(at, "runs") == ",".join(random)
    assert at.dataframe[0].value["method"].tolist() == ["random search"]


def test_a_renamed_method_keeps_its_name_in_the_address_and_is_no_markup(visit: Open, made: Path) -> None:
    random, evolution = two(made, 2)
    at = visit("compare", runs=",".join(random + evolution))
    box = next(t for t in at.text_input if t.placeholder == "random search")
    box.set_value("<b>chance</b> **x**").run()
    assert "<b>chance</b> **x**" in at.dataframe[0].value["method"].tolist()
    name = next(k for k in at.query_params if k.startswith("name_"))
    assert asked(at, name) == "<b>chance</b> **x**"
    lines = [t["name"] for t in figure(at, 0)["data"] if t.get("name")]
    assert "&lt;b&gt;chance&lt;/b&gt; **x**" in lines


def test_two_protocols_never_stand_on_one_axis_without_a_note(visit: Open, made: Path) -> None:
    write_run(made, "20260102-030407-cccccc")
    table = write(made, "regularized_evolution", 1)
    at = visit("compare", runs=f"{table},20260102-030407-cccccc")
    assert "do not measure the same thing" in said(at)
    assert raw(at).count("several protocols on one axis") >= 2
    assert "evaluator: tabular, trained" in said(at)
    assert "epochs: 10, 4" in said(at)
    assert "Nobody leads" in said(at)
    assert "different protocols" in at.dataframe[1].value["verdict"].iloc[0]
    alike = visit("compare", runs=f"{table},{write(made, 'random_search', 1)}")
    assert "several protocols" not in raw(alike)


def test_few_seeds_have_words_and_a_single_one_has_no_band(visit: Open, made: Path) -> None:
    random, evolution = two(made, 1)
    at = visit("compare", runs=",".join(random + evolution))
    row = at.dataframe[1].value.iloc[0]
    assert row["p"] == ""
    assert row["verdict"].startswith("Too few seeds")
    assert not [t for t in figure(at, 0)["data"] if t.get("fill")]


def test_a_seed_that_stands_twice_counts_once(visit: Open, made: Path) -> None:
    runs = [
        write(made, "random_search", 3),
        write(made, "random_search", 3, n=BUDGET // 2),
        write(made, "random_search", 4),
    ]
    at = visit("compare", runs=",".join(runs))
    assert at.dataframe[0].value["seeds"].tolist() == [2]
    assert "another run has their seed: 1" in said(at)


def test_a_run_that_goes_on_is_said_and_one_that_is_gone_too(
    visit: Open, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [write(made, "random_search", 0), write(made, "random_search", 1, end="", n=10)]
    from nascore.runs import store

    monkeypatch.setattr(store, "holder", lambda file: 1 if file.parent.name == runs[1] else None)
    at = visit("compare", runs=",".join([*runs, "20200101-000000-000000"]))
    assert "1 run still going" in said(at)
    assert "There is no run 20200101-000000-000000 with results" in said(at)
    line = next(t for t in figure(at, 0)["data"] if t.get("name"))
    assert read_array(line["x"])[-1] == 10


def test_several_objectives_have_attainment_surfaces_and_a_hypervolume(visit: Open, made: Path) -> None:
    goals = [["error", "min"], ["params", "min"]]
    random, evolution = two(made, 3, objectives=goals)
    at = visit("compare", runs=",".join(random + evolution), by="hypervolume")
    assert "Attained together" in said(at)
    fig = figure(at, len(at.get("plotly_chart")) - 1)
    half = next(t for t in fig["data"] if t.get("name", "").startswith("random search"))
    x, y = read_array(half["x"]), read_array(half["y"])
    corners = {(round(a), round(b, 6)) for a, b in zip(x, y, strict=True)}
    assert all(b == pytest.approx(80 - 2 * (a - 100)) or (a, b) != min(corners) for a, b in corners)
    best = visit("compare", runs=",".join(random + evolution))
    assert best.dataframe[0].value["regret"].tolist()[0] != ""


def test_runs_that_share_no_objective_are_not_drawn(visit: Open, made: Path) -> None:
    a = write(made, "random_search", 0, objectives=[["error", "min"]])
    b = write(made, "random_search", 0, objectives=[["params", "max"]])
    at = visit("compare", runs=f"{a},{b}")
    assert "share no objective" in said(at)
    assert not at.get("plotly_chart")


def test_a_limit_that_is_missed_does_not_count(visit: Open, made: Path) -> None:
    run = write(made, "random_search", 0, constraints=[["params", "<=", 111]])
    at = visit("compare", runs=run)
    allowed = [e for e in errors(run) if 100 + (80 - e) / 2 <= 111 + 1e-9]
    assert at.dataframe[0].value["value"].tolist() == [f"{min(allowed):.2f}"]


def test_at_first_the_newest_run_is_shown_with_its_like_and_broken_ones_do_no_harm(
    visit: Open, made: Path
) -> None:
    write_run(made)
    write_broken(made)
    random, evolution = two(made, 2)
    write(made, "random_search", 0, budget={"evaluations": 7}, n=7)
    at = visit("compare")
    assert at.dataframe[0].value["method"].tolist() == ["random search"]
    every = visit("compare", runs=",".join([*random, *evolution, RUN]))
    assert sorted(every.multiselect(key="compare_runs").value) == sorted([*random, *evolution, RUN])


def test_the_checklist_tells_what_the_runs_tell(visit: Open, made: Path) -> None:
    random, evolution = two(made, 5)
    at = visit("compare", runs=",".join([*random[:4], *evolution]))
    text = said(at)
    assert "1 more on this machine are not chosen here" in text
    assert "random search has 4" in text
    assert "yes] | The search space is the same" in text
    at.button(key="compare_rest").click().run()
    assert "All on this machine are here" in said(at)


def test_nonsense_in_the_address_is_as_good_as_nothing(visit: Open, made: Path) -> None:
    two(made, 1)
    at = visit(
        "compare", runs="../../etc", by="beauty", over="moons", band="x", base="y", pair="a,b", name_zz="n"
    )
    assert at.get("plotly_chart")
    assert not math.isnan(float(at.dataframe[0].value["value"].iloc[0]))


def write_shared(seed: int, shares: list[int]) -> str:
    """A finished search by gradients that prefers one option everywhere, another after each epoch."""
    spec = from_document(
        {"v": 1, "space": SPACE, "strategy": {"name": "darts", "knobs": {"epochs": 9}}, "seed": seed}
    )
    run = launch.new_id()
    folder = launch.home() / "runs" / run
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps(spec.to_json()))
    journal = Journal(folder)
    journal.append(Life("Started", about={"data": "digits", "split": "validation"}))
    for epoch, lead in enumerate(shares):
        gates = {
            f"gate/{c.name}/{o}": 0.6 if i == lead else 0.1
            for c in spec.space.choices()
            for i, o in enumerate(c.options)
        }
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(journals, "STEP_SECONDS", 0.0)  # of quick steps only some are written
            journal.append(Step("search", epoch, {**gates, "supernet_error": 0.5 - 0.1 * (epoch + seed)}))
    journal.append(Tried((shares[-1],) * 6, {"error": 0.4}, spec.evaluator.key, {"seconds": 1.0}))
    journal.append(Life("Finished"))
    journal.close()
    return run


def test_shared_networks_are_compared_after_each_epoch(visit: Open, made: Path) -> None:
    shared = [write_shared(0, [0, 3, 3]), write_shared(1, [0, 0, 3])]
    at = visit("compare", runs=",".join(shared))
    error, truth = figure(at, 1), figure(at, 2)
    (line,) = [t for t in error["data"] if t.get("name")]
    assert read_array(line["x"]) == [1, 2, 3]
    assert read_array(line["y"]) == pytest.approx([45, 35, 25])
    table = benchmark.open_table("nasbench_digits")
    zero, three = (float(table.value("test_accuracy", [(i,) * 6])[0]) for i in (0, 3))
    (line,) = [t for t in truth["data"] if t.get("name")]
    assert read_array(line["y"]) == pytest.approx([zero, (zero + three) / 2, three])


def test_a_link_opens_shared_networks_over_seconds(visit: Open, made: Path) -> None:
    run = write_shared(0, [0, 3, 3])
    for over, title in (("seconds", "Active time (s)"), ("nonsense", "Epochs")):
        at = visit("compare", runs=run, compare_way=over)
        assert figure(at, 1)["layout"]["xaxis"]["title"]["text"] == title


def test_shipped_ranks_stand_below(visit: Open, made: Path) -> None:
    row = {"value": 4000.0, "low": -20.0, "high": 9000.0, "n": 4}
    method = {"method": "DARTS", "seeds": 4, "cpu_seconds": 28.0, "random": {"rank": 90, "networks": 170}}
    method |= dict.fromkeys(("rank", "better_percent", "test_accuracy", "minus_random_points"), row)
    part = {"table": "t", "networks": 15625, "random_network": {"test_accuracy": 80.0}, "methods": [method]}
    file = benchmark.PROJECT / "data" / "checks" / "supernet_ranks.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"parts": [part]}))
    at = visit("compare")
    shown = at.dataframe[-1].value
    assert shown["rank"].tolist() == ["4,000 [1, 9,000]"], "no rank is below 1"
    assert shown["accuracy"].tolist() == ["4,000.00 [0.00, 100.00]"], "nor an accuracy below 0"
    assert shown["random"].tolist() == ["90 (170 trained)"]
