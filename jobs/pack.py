"""Pack the wheel and the environment that a cluster needs, and say how to use them."""

import argparse
from pathlib import Path

from fashionrec.cli import Context, run_job
from fashionrec.pack import ARCHIVE, build_wheel, pack_environment

_USE = """
The environment, for Spark's --archives (any node with Python 3.11):
  MASTER=spark://HOST:7077 PYSPARK_PYTHON=./environment/bin/python \\
    ./spark-submit.sh nightly --archives {archive}#environment \\
    --properties-file conf/cluster.conf --load-spark-defaults --config conf/cluster.toml
Or unpacked on every node, or in an image, at one path: PYSPARK_PYTHON=/opt/environment/bin/python
The wheel, where an engine installs packages itself (EMR, Databricks), with requirements.txt:
  pip install {wheel}, then spark-submit jobs/nightly.py ..."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this job alone."""
    parser.add_argument("--output", type=Path, default=Path("dist"), help="folder (default: dist)")
    parser.add_argument("--wheel-only", action="store_true", help="leave the environment out")


def main(context: Context) -> None:
    """Pack, and print what was made and how it is used."""
    folder = context.options.output.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    wheel, archive = build_wheel(folder), folder / ARCHIVE
    print(wheel)
    if not context.options.wheel_only:
        size = pack_environment(wheel, archive)
        print(f"{archive}  ({archive.stat().st_size / 1e9:.1f} GB; {size / 1e9:.1f} GB unpacked)")
        print(_USE.format(archive=archive, wheel=wheel))


if __name__ == "__main__":
    run_job(__doc__, main, add_options)
