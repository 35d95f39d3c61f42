"""When it says 90 %, is it right nine times in ten? Networks of tables, and of files."""

from __future__ import annotations

import streamlit as st

from nascore.benchmarks.table import Table
from pages.parts import (
    benchdata,
    calibask,
    calibdata,
    calibfile,
    calibquestions,
    calibrank,
    calibrun,
    calibtable,
    show,
)
from pages.parts.calibask import Asked
from pages.parts.setup import page_setup

HOW = (
    "A network gives each answer a confidence. It is calibrated when it is right as often as it says. Choose "
    "a network of a table or of a run, or upload predictions of your own. Noise floors say what chance alone "
    "gives. Everything you choose stands in the address, but for uploaded files."
)


def body(a: Asked, found: list[Table]) -> None:
    """What the address asks for."""
    if a.view == "words":
        calibquestions.words()
    elif a.source == calibdata.FILE:
        calibfile.view(a)
    elif a.source == calibdata.RUN:
        calibrun.view(a)
    else:
        table = benchdata.opened(a.source)
        m = calibdata.measured(table)
        match a.view:
            case "all":
                calibrank.view(a, table, m)
            case "questions":
                calibquestions.view(table, found)
            case _:
                calibtable.of_table(a, table, m)


page_setup("Calibration")
show.head("Calibration", "When it says 90 %, is it right nine times in ten?", HOW)
found = calibdata.tables()
asked = calibask.asked(found)
with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="calib-what"):
    calibask.choose(asked, found)
titles = calibask.sources(found)
calibask.unknown("source", titles, f"this is {titles[asked.source]}")
body(asked, found)
