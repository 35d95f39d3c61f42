"""Colors and what they mean, one set a theme mode.

A hex value stands here, in `ops.json` and in `.streamlit/config.toml`, nowhere else. Operations own one
palette, runs another, states a third; `pick` marks the architecture a person picked and nothing else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path

OPS: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("ops.json").read_text(encoding="utf-8"))

# How spaces and tables call the operations that `ops.json` has a look for.
OPTIONS = {
    "zero": "none",
    "skip_connect": "skip",
    "identity": "skip",
    "nor_conv_1x1": "conv_1x1",
    "nor_conv_3x3": "conv_3x3",
    "nor_conv_5x5": "conv_5x5",
    "conv1x1-bn-relu": "conv_1x1",
    "conv3x3-bn-relu": "conv_3x3",
    "sep_conv_3x3": "sep_3x3",
    "sep_conv_5x5": "sep_5x5",
    "dil_conv_3x3": "dil_3x3",
    "dil_conv_5x5": "dil_5x5",
    "dil_sep_conv_3x3": "dil_sep_3x3",
    "dil_sep_conv_5x5": "dil_sep_5x5",
    "flood_conv_3x3": "flood_3x3",
    "dil_flood_conv_3x3": "dil_flood_3x3",
    "choke_conv_3x3": "choke_3x3",
    "dil_choke_conv_3x3": "dil_choke_3x3",
    "avg_pool_3x3": "avg_pool",
    "max_pool_3x3": "max_pool",
    "maxpool3x3": "max_pool",
}


def op_key(option: str) -> str:
    """Key into `OPS` of an option such as `nor_conv_3x3`; an option without a look comes back unchanged."""
    return OPTIONS.get(option, option)


def op_label(option: str) -> str:
    """How people read an option: `conv 3x3`; an unknown one with its underscores as spaces."""
    key = op_key(option)
    return OPS[key]["label"] if key in OPS else option.replace("_", " ")


def op_dash(option: str) -> str:
    """SVG dash pattern of an option's line; empty means solid."""
    return OPS.get(op_key(option), {}).get("dash", "")


@dataclass(frozen=True)
class Tokens:
    """The colors of one mode.

    `series` is for runs, strategies and evaluators. `sequential` and `points` go from low to high, and high
    is farthest from the paper; `points` starts where a dot can still be seen. `diverging` is below, equal,
    above.
    """

    mode: str
    ink: str
    muted: str
    line: str
    paper: str
    raised: str
    accent: str
    pick: str
    dot: str
    good: str
    bad: str
    warn: str
    series: tuple[str, ...]
    sequential: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    diverging: tuple[str, ...] = ()

    def op(self, option: str) -> str:
        """Color of an option; muted when it has no look of its own."""
        look = OPS.get(op_key(option))
        if look is None:
            return self.muted
        return both(look["light"], look["dark"]) if self.mode == "live" else look[self.mode]


def both(light: str, dark: str) -> str:
    """A CSS color that follows the page's mode by itself; SVG in the page takes it, plotly does not."""
    return f"light-dark({light}, {dark})"


LIGHT = Tokens(
    mode="light",
    ink="#1B2430",
    muted="#55606E",
    line="#DDDFD8",
    paper="#FFFFFF",
    raised="#F4F5F1",
    accent="#0B5C66",
    pick="#CF4508",
    dot="#5B8C94",
    good="#1B7A4B",
    bad="#B3261E",
    warn="#8A6A00",
    series=("#0B5C66", "#C4531F", "#6B4BB0", "#8A6A00", "#1F62B4", "#A93F73", "#4E7A2A", "#5A6472"),
    sequential=("#D3DFD9", "#A9CBC8", "#76B0B4", "#438F9B", "#1A6876", "#083642"),
    points=("#A3C4BF", "#6CAAAE", "#3B8794", "#17626F", "#062C36"),
    diverging=("#16508F", "#739FD0", "#EFEFEA", "#DB8D67", "#9A3A17"),
)
DARK = Tokens(
    mode="dark",
    ink="#E7E9E4",
    muted="#A3ADB8",
    line="#2C3742",
    paper="#11161C",
    raised="#1B232C",
    accent="#5FC3C4",
    pick="#FFB057",
    dot="#4E8A93",
    good="#6CC79A",
    bad="#F08C82",
    warn="#E2C14E",
    series=("#5FC3C4", "#EE9160", "#B9A2F0", "#E2C14E", "#82B4F0", "#E58FB8", "#A3C77C", "#98A3AF"),
    sequential=("#24343D", "#28525D", "#30727D", "#4B9AA0", "#88C7C5", "#E2F4EF"),
    points=("#2E5F69", "#3B838C", "#5FACB0", "#9BD2CD", "#E2F4EF"),
    diverging=("#8DBBF2", "#4577B3", "#26303A", "#AF6139", "#F4B083"),
)


def _live() -> Tokens:
    """Light and dark in one, for drawings inside the page; without the scales, which only plotly needs."""
    scalars = {f.name: both(getattr(LIGHT, f.name), getattr(DARK, f.name)) for f in fields(Tokens)[1:12]}
    series = tuple(map(both, LIGHT.series, DARK.series))
    return replace(LIGHT, mode="live", series=series, sequential=(), points=(), diverging=(), **scalars)


LIVE = _live()


def tokens(mode: str | None) -> Tokens:
    """The tokens of a mode; anything but "dark" is light."""
    return DARK if mode == "dark" else LIGHT


def alpha(color: str, share: float) -> str:
    """`#RRGGBB` at an opacity between 0 and 1, in the one notation that every plotly trace takes."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share})"


def scale(colors: tuple[str, ...]) -> list[list[float | str]]:
    """Plotly color scale with the colors at equal distances from 0 to 1."""
    return [[i / (len(colors) - 1), color] for i, color in enumerate(colors)]
