"""Gates of a journal as arrays, and what is drawn of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nascore.space import restrict
from nascore.spaces.nasbench201 import Nasbench201
from nascore.view import figures_gates, gates
from nascore.view.tokens import DARK, LIGHT

SPACE = Nasbench201(1, 4, 1, 2)
CHOICES = SPACE.choices()
OPTIONS = [str(o) for o in CHOICES[0].options]


def steps(shares: np.ndarray, **more: float) -> pd.DataFrame:
    """A journal's rows in an order that says nothing: shares (epochs, choices, options)."""
    rows = []
    for e, epoch in enumerate(shares):
        for c, choice in enumerate(CHOICES):
            rows += [
                ("darts", e, f"gate/{choice.name}/{o}", float(epoch[c, j])) for j, o in enumerate(OPTIONS)
            ]
        rows += [("darts", e, name, value * (e + 1)) for name, value in more.items()]
    frame = pd.DataFrame(rows, columns=["phase", "step", "name", "value"])
    return frame.sample(frac=1, random_state=0).sort_values("phase")


def drawn(epochs: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(5), (epochs, 6))


def test_gates_come_back_in_the_order_of_the_space() -> None:
    shares = drawn()
    (m,) = gates.movies(steps(shares, entropy=0.1, train_loss=1.0), CHOICES)
    assert m.choices == tuple(c.name for c in CHOICES)
    assert m.options == (tuple(OPTIONS),) * 6
    assert m.epochs.tolist() == [1, 2, 3, 4, 5]
    assert np.array_equal(np.stack(m.shares, axis=1), shares)
    assert m.values["entropy"] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert set(m.values) == {"entropy", "train_loss"}
    assert m.largest(2) == shares[2].argmax(1).tolist()


def test_seconds_of_an_epoch_are_differences_also_where_some_were_not_written() -> None:
    frame = steps(drawn(5), active_seconds=3.0)
    (m,) = gates.movies(frame[frame["step"] != 2], CHOICES)
    assert m.epochs.tolist() == [1, 2, 4, 5]
    assert m.values["epoch_seconds"][1:] == pytest.approx([3, 3, 3])
    assert np.isnan(m.values["epoch_seconds"][0]), "of the first it is not known when it began"
    assert "active_seconds" not in m.values
    assert m.seconds == pytest.approx([3, 6, 12, 15])


def test_even_shares_decide_nothing() -> None:
    shares = np.full((2, 6, 5), 0.2)
    shares[1, 3] = [0.3, 0.1, 0.2, 0.2, 0.2]
    (m,) = gates.movies(steps(shares), CHOICES)
    assert m.decided().tolist() == [False, True]


def test_a_journal_without_gates_has_no_movie() -> None:
    assert gates.movies(pd.DataFrame(columns=["phase", "step", "name", "value"]), CHOICES) == []
    frame = pd.DataFrame([("train", 0, "train_loss", 1.0)], columns=["phase", "step", "name", "value"])
    assert gates.movies(frame, CHOICES) == []


def test_an_epoch_of_which_a_gate_is_missing_is_left_out() -> None:
    frame = steps(drawn(3))
    frame.loc[(frame["step"] == 1) & (frame["name"] == f"gate/{CHOICES[2].name}/{OPTIONS[0]}"), "value"] = (
        np.nan
    )
    (m,) = gates.movies(frame, CHOICES)
    assert m.epochs.tolist() == [1, 3]


def test_the_largest_shares_are_an_arch_of_open_options() -> None:
    shares = drawn(4, 1)
    (m,) = gates.movies(steps(shares), CHOICES)
    assert gates.archs(m, SPACE) == [tuple(row) for row in shares.argmax(2).tolist()]
    narrow = restrict(SPACE, {CHOICES[0].name: [OPTIONS[1], OPTIONS[2]]})
    found = gates.archs(m, narrow)
    assert [a[0] for a in found] == (1 + shares[:, 0, 1:3].argmax(1)).tolist()
    assert [a[1:] for a in found] == [tuple(row[1:]) for row in shares.argmax(2).tolist()]


def test_crowding_counts_shares_and_leads_of_one_kind() -> None:
    shares = np.full((2, 6, 5), 0.1)
    skip = OPTIONS.index("skip_connect")
    shares[0, :, 0] = 0.6
    shares[1, :4, skip] = 0.6
    shares[1, 4:, 3] = 0.6
    (m,) = gates.movies(steps(shares), CHOICES)
    found = gates.crowding(m, "skip")
    assert found.offered == 6
    assert found.share == pytest.approx([0.1, (4 * 0.6 + 2 * 0.1) / 6])
    assert found.taken == pytest.approx([0, 4 / 6])
    assert found.crowds
    assert not gates.crowding(m, "none").crowds, "it led before, and no longer"
    assert gates.crowding(m, "attention").offered == 0


@pytest.mark.parametrize("t", [LIGHT, DARK], ids=["light", "dark"])
def test_the_movie_frames_the_largest_share_of_each_epoch(t: object) -> None:
    shares = drawn(90)
    (m,) = gates.movies(steps(shares), CHOICES)
    fig = figures_gates.movie(m, t)  # type: ignore[arg-type]
    names = [f.name for f in fig.frames]
    assert (len(names), names[0], names[-1]) == (figures_gates.PICTURES, "1", "90")
    for frame in fig.frames:
        heat, frames = frame.data
        at = int(frame.name) - 1
        assert np.array_equal(np.asarray(heat.z), shares[at])
        around, best = np.array(frames.x, dtype=float).reshape(len(CHOICES), 6), shares[at].argmax(1)
        assert around[:, 0] == pytest.approx(best - figures_gates.SIDE)
        assert around[:, 1] == pytest.approx(best + figures_gates.SIDE)
    assert [s.label for s in fig.layout.sliders[0].steps] == names
    assert np.array_equal(np.asarray(fig.data[0].z), shares[-1]), "it opens on the last epoch"


def test_lines_end_with_their_names_and_skip_what_was_not_told() -> None:
    values = {"a": np.array([1.0, np.nan, 3.0]), "<b>": np.array([2.0, 2.0, 2.5])}
    fig = figures_gates.over_epochs(np.array([1, 2, 3]), values, LIGHT, y="Loss")
    assert [list(trace.x) for trace in fig.data] == [[1, 3], [1, 2, 3]]
    said = " ".join(a.text for a in fig.layout.annotations)
    assert "&lt;b&gt;" in said
    assert "<b> <b>" not in said
    assert figures_gates.stops(0) == []
    assert figures_gates.stops(3) == [0, 1, 2]
