from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from nascore.view.tokens import DARK, LIGHT, LIVE, OPS, Tokens, alpha, op_key, op_label

SPACES = {
    "nasbench201": ("none", "skip", "conv_1x1", "conv_3x3", "avg_pool"),
    "nasbench101": ("conv_1x1", "conv_3x3", "max_pool"),
    "darts": ("none", "skip", "sep_3x3", "sep_5x5", "dil_3x3", "dil_5x5", "avg_pool", "max_pool"),
    "sharp_sep_darts": (
        "none",
        "skip",
        "sep_3x3",
        "sep_5x5",
        "dil_sep_3x3",
        "dil_sep_5x5",
        "avg_pool",
        "max_pool",
    ),
    "sharp_darts": (
        *("none", "skip", "max_pool", "sep_3x3", "dil_sep_3x3"),
        *("flood_3x3", "dil_flood_3x3", "choke_3x3", "dil_choke_3x3"),
    ),
}
# Linear RGB under full color blindness: Machado, Oliveira and Fernandes (2009), table 1 at severity 1.
EYES = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1, 1.08883])


def linear(color: str) -> np.ndarray:
    channels = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(a: str, b: str) -> float:
    dark, light = sorted(float(linear(color) @ TO_XYZ[1]) for color in (a, b))
    return (light + 0.05) / (dark + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    ratio = TO_XYZ @ np.clip(rgb, 0, 1) / WHITE
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def difference(one: np.ndarray, two: np.ndarray) -> float:
    """CIEDE2000, as in Sharma, Wu and Dalal (2005), equations 2 to 22."""
    mean = (np.hypot(*one[1:]) + np.hypot(*two[1:])) / 2
    g = 0.5 * (1 - np.sqrt(mean**7 / (mean**7 + 25.0**7)))
    (a1, b1), (a2, b2) = ((lab_[1] * (1 + g), lab_[2]) for lab_ in (one, two))
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = (h2 - h1 + 180) % 360 - 180
    big_h = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2)
    light, c, h = (one[0] + two[0]) / 2, (c1 + c2) / 2, h1 + turn / 2
    wave = ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.20, 4, -63))
    t = 1 + sum(size * np.cos(np.radians(times * h + shift)) for size, times, shift in wave)
    s_l = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    s_c, s_h = 1 + 0.045 * c, 1 + 0.015 * c * t
    bend = 60 * np.exp(-(((h % 360 - 275) / 25) ** 2))
    r_t = -2 * np.sqrt(c**7 / (c**7 + 25.0**7)) * np.sin(np.radians(bend))
    l_, c_, h_ = (two[0] - one[0]) / s_l, (c2 - c1) / s_c, big_h / s_h
    return float(np.sqrt(l_**2 + c_**2 + h_**2 + r_t * c_ * h_))


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_color_difference_agrees_with_published_pairs(one: tuple, two: tuple, expected: float) -> None:
    assert difference(np.array(one, float), np.array(two, float)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("space", SPACES)
def test_operations_of_a_space_differ_for_every_kind_of_eye(space: str, mode: str) -> None:
    for eye, matrix in EYES.items():
        seen = {op: lab(matrix @ linear(OPS[op][mode])) for op in SPACES[space]}
        for a, b in combinations(seen, 2):
            assert difference(seen[a], seen[b]) > 9.5, f"{a} and {b} are too near for {eye}"


@pytest.mark.parametrize("t", [LIGHT, DARK], ids=lambda t: t.mode)
def test_text_and_lines_have_enough_contrast(t: Tokens) -> None:
    for paper in (t.paper, t.raised):
        assert contrast(t.ink, paper) > 12
        assert contrast(t.muted, paper) > 4.5
        assert all(contrast(t.op(op), paper) > 2.9 for op in OPS)
        assert all(contrast(color, paper) > 4 for color in t.series)


def test_no_two_operations_look_alike_without_their_label() -> None:
    for mode in ("light", "dark"):
        looks = [(op[mode], op["dash"]) for op in OPS.values()]
        assert len(set(looks)) == len(looks)


@pytest.mark.parametrize(
    ("option", "key"),
    [
        ("nor_conv_3x3", "conv_3x3"),
        ("skip_connect", "skip"),
        ("avg_pool_3x3", "avg_pool"),
        ("none", "none"),
        ("maxpool3x3", "max_pool"),
        ("dil_choke_conv_3x3", "dil_choke_3x3"),
        ("conv_3x3", "conv_3x3"),
    ],
)
def test_options_of_spaces_find_their_look(option: str, key: str) -> None:
    assert op_key(option) == key
    assert op_label(option) == OPS[key]["label"]


def test_an_unknown_option_is_neutral_and_keeps_its_own_words() -> None:
    assert op_label("my_new_op") == "my new op"
    assert (LIGHT.op("my_new_op"), LIVE.op("my_new_op")) == (LIGHT.muted, LIVE.muted)


def test_live_colors_hold_both_modes() -> None:
    assert LIVE.op("nor_conv_3x3") == f"light-dark({LIGHT.op('conv_3x3')}, {DARK.op('conv_3x3')})"
    assert LIVE.pick == f"light-dark({LIGHT.pick}, {DARK.pick})"


def test_alpha_keeps_the_color() -> None:
    assert alpha("#0B5C66", 0.25) == "rgba(11,92,102,0.25)"
