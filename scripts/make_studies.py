"""Makes the shipped results of studies again: `python scripts/make_studies.py [NAME ...]`, all by default.

Pieces are kept in `--folder` (by default in the system's temporary folder) until a study is done, so it
may be stopped at any time.

What comes out goes to `data/studies/`. A user's own runs go to the data folder instead, by
`python -m nascore study NAME`. CPU seconds are printed: a shipped study takes a few minutes at most.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

from nascore.studies import STUDIES
from nascore.studies.results import shipped_file
from nascore.studies.study import Kept, label, run, write


def main(names: list[str], folder: Path) -> None:
    """Runs and writes each."""
    for name in names or list(STUDIES):
        cpu, study = time.process_time(), STUDIES[name]()
        kept = Kept(folder / name, label(study))
        found = run(study, kept, tell=lambda at: print(f"\r\033[K{at.done}/{at.total} {at.what}", end=""))
        write(shipped_file(name), found)
        shutil.rmtree(folder / name, ignore_errors=True)
        print(f"\r\033[K{name}: {time.process_time() - cpu:.0f} CPU s")
        for claim in found["claims"]:
            print(f"  {claim['verdict']:15} {claim['key']:12} {claim['measured']} {claim['interval']}")


if __name__ == "__main__":
    given = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    given.add_argument("names", nargs="*", metavar="NAME")
    given.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "nascope-studies")
    asked = given.parse_args()
    main(asked.names, asked.folder)
