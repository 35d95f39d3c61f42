"""The frame around every page: the navigation. Errors meet the one boundary in app.py."""

import streamlit as st

from pages.parts.setup import frame

frame("NAScope")
pages = {
    "": [st.Page("home.py", title="Home", icon=":material/home:", default=True)],
    "Explore": [
        st.Page("benchmarks.py", title="Benchmarks", icon=":material/scatter_plot:"),
        st.Page("architecture.py", title="Architecture", icon=":material/account_tree:"),
        st.Page("pareto.py", title="Pareto", icon=":material/line_axis:"),
    ],
    "Search": [
        st.Page("build.py", title="Build", icon=":material/design_services:"),
        st.Page("search.py", title="New search", icon=":material/travel_explore:"),
        st.Page("runs.py", title="Runs", icon=":material/monitoring:"),
        st.Page("compare.py", title="Compare", icon=":material/stacked_line_chart:"),
    ],
    "Judge": [
        st.Page("ranking.py", title="Ranking", icon=":material/format_list_numbered:"),
        st.Page("calibration.py", title="Calibration", icon=":material/balance:"),
    ],
    "Learn": [st.Page("papers.py", title="Papers", icon=":material/menu_book:")],
}
st.navigation(pages, expanded=True).run()
