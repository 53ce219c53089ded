#!/usr/bin/env bash
# tests/gpu/run.sh: what can only be tested with a GPU, from a clean clone, without Java. It makes .venv
# where there is none (minutes and 7 GB), then compares the GPU with the CPU, prints figures and, as its
# last line, one JSON object. Exit 1: a bound is missed, or torch sees no GPU.
#   DEVICE=cpu tests/gpu/run.sh                 tries the script itself out, at small sizes
#   PYTHON=/path/to/python tests/gpu/run.sh     in another environment that has requirements.txt
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
venv=$root/.venv
fail() { printf 'error: %s\n' "$1" >&2; exit 1; }

# As ./spark-submit.sh makes it, which then finds it made.
make_environment() {
  local base
  base=$(command -v python3.11) || fail "Python 3.11 was not found: install it (Debian: apt-get install python3.11-venv)"
  printf 'set-up: making .venv and installing requirements.txt into it (a few minutes and 7 GB, once)\n' >&2
  "$base" -m venv --clear "$venv" >&2 || fail "$base cannot make a virtual environment: install its venv module"
  "$venv/bin/python" -m pip install --disable-pip-version-check -r "$root/requirements.txt" >&2 \
    || fail "requirements.txt could not be installed: see pip's message above"
  "$venv/bin/python" -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e "$root" >&2 \
    || fail "the package could not be installed: see pip's message above"
  { printf '%s\n' "$root"; cat "$root/requirements.txt"; } | cksum > "$venv/stamp"
}

python=${PYTHON:-$venv/bin/python}
device=${DEVICE:-cuda}
if ! "$python" -c 'import torch, torchvision, petastorm' 2>/dev/null; then
  [ -z "${PYTHON:-}" ] || fail "$python lacks packages of requirements.txt: install them, or leave PYTHON out"
  [ "$device" != cuda ] || command -v nvidia-smi >/dev/null || fail "this machine has no nvidia-smi, so no usable GPU"
  make_environment
fi
PYTHONPATH="$root/lib${PYTHONPATH:+:$PYTHONPATH}" exec "$python" "$root/tests/gpu/measure.py" "$device"
