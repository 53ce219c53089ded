#!/usr/bin/env bash
# ./spark-submit.sh JOB [options]: sets up what is missing, then runs jobs/JOB.py with Spark's own
# spark-submit. `./spark-submit.sh help` lists the jobs.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=$root/.venv
python=$venv/bin/python
jars=$root/.jars
delta_package=io.delta:delta-spark_2.13:4.0.1

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $1"; exit "${2:-1}"; }

usage() {
  cat <<EOF
Usage: ./spark-submit.sh JOB [options]

  nightly             ingest, embed, neighbours, publish; draws a sample catalogue where none is given
  ingest, embed, neighbours, publish
                      one step of it
  doctor              check an environment before a night is lost to it, each finding with what to do
  finetune            train a new model version on the tables
  evaluate [MODEL]    judge a model folder beside the current model; writes a report
  promote MODEL       make it the current model, if it is not worse
  rollback            put the night before back (--to RUN: an earlier one)
  maintain            compaction, VACUUM, old runs; nightly does it when it is due
  status              the last runs, and whether the published table is fresh (exit 4: it is not)
  dashboard           the web page, on http://127.0.0.1:8501: explore, find similar, judge the model
  lookup PRODUCT_ID   a product's published neighbours
  sql ["SELECT ..."]  query the tables and views; without a query a shell
  sql-server          serve them to JDBC, ODBC and PyHive
  changes --since RUN the lists that have changed since a run, as JSON
  make-sample         draw the sample catalogue
  pack                what a cluster needs: a wheel, and an environment for --archives
  setup               only install what is missing
  benchmark NAME      measure ingest, embed, neighbours, lookup, dashboard or scale (JSON as the last line)
  test [pytest ...]   format check, lint, types, all tests

Every job takes --help, --config FILE, --set key=value, --catalogue PATH and --warehouse PATH.
--no-install (or NO_INSTALL=1) forbids any set-up. MASTER=spark://... (yarn, k8s://...) runs on a cluster, whose
executors run PYSPARK_PYTHON; the default is local[*], which runs .venv.
Options of Spark's own spark-submit (--conf, --driver-memory, --packages, ...) are passed on to it.
EOF
}

# --- set-up -------------------------------------------------------------------------------------

java_major() { "$1" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1; }

find_java() {  # prints the home of a Java 17 or 21
  local candidate
  for candidate in "${JAVA_HOME:-}" "$(dirname "$(dirname "$(readlink -f "$(command -v java || true)")")")" \
                   /usr/lib/jvm/* /opt/java/* /Library/Java/JavaVirtualMachines/*/Contents/Home; do
    [ -n "$candidate" ] && [ -x "$candidate/bin/java" ] || continue
    case "$(java_major "$candidate/bin/java")" in 17 | 21) printf '%s\n' "$candidate"; return 0 ;; esac
  done
  return 1
}

install_java() {
  command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || fail \
    "Spark needs Java 17 or 21 and none was found: install one (Debian: apt-get install openjdk-17-jre-headless) or set JAVA_HOME"
  say "set-up: installing openjdk-17-jre-headless"
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y openjdk-17-jre-headless; } >&2 \
    || fail "openjdk-17-jre-headless could not be installed: install Java 17 or 21 by hand or set JAVA_HOME"
}

find_python() {
  local candidate
  for candidate in python3.11 python3 python; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
      command -v "$candidate"; return 0
    fi
  done
  fail "Python 3.11 was not found: install it (Debian: apt-get install python3.11-venv)"
}

# An environment holds absolute paths, so a moved checkout needs a new one as well.
environment_stamp() { { printf '%s\n' "$root"; cat "$root/requirements.txt"; } | cksum; }

environment_ready() { [ "$(cat "$venv/stamp" 2>/dev/null)" = "$(environment_stamp)" ]; }
jars_ready() { [ "$(cat "$jars/stamp" 2>/dev/null)" = "$delta_package" ]; }

install_environment() {
  local base
  base=$(find_python)
  say "set-up: making .venv and installing requirements.txt into it (a few minutes and 7 GB, once)"
  "$base" -m venv --clear "$venv" >&2 || fail \
    "$base cannot make a virtual environment: install its venv module (Debian: apt-get install python3.11-venv)"
  "$python" -m pip install --disable-pip-version-check -r "$root/requirements.txt" >&2 \
    || fail "requirements.txt could not be installed: see pip's message above"
  "$python" -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e "$root" >&2 \
    || fail "the package could not be installed: see pip's message above"
  environment_stamp > "$venv/stamp"
}

# Spark resolves Delta's jars once; later runs take the kept files and need no network.
install_jars() {
  local script
  say "set-up: fetching $delta_package with Spark"
  script=$(mktemp --suffix=.py)
  rm -rf "$jars"
  "$SPARK_HOME/bin/spark-submit" --packages "$delta_package" --conf "spark.jars.ivy=$jars" "$script" >&2 \
    || fail "Spark could not resolve $delta_package: see its message above"
  rm -f "$script"
  printf '%s' "$delta_package" > "$jars/stamp"
}

# These start no JVM, so they run where there is no Java, too.
needs_java() {
  case "$job ${job_options[*]-} " in
    "sql "*"--engine spark "* | "sql "*"--engine=spark "*) return 0 ;;
    "changes "* | "dashboard "* | "lookup "* | "make_sample "* | "sql "* | "status "*) return 1 ;;
  esac
}

set_up() {
  if ! JAVA_HOME=$(find_java) && needs_java; then
    [ "$install" = 1 ] || fail "Spark needs Java 17 or 21, none was found, and installing is forbidden: install one or set JAVA_HOME"
    install_java
    JAVA_HOME=$(find_java) || fail "Java 17 was installed but cannot be found: set JAVA_HOME"
  fi
  export JAVA_HOME
  if ! environment_ready || { needs_java && ! jars_ready; }; then
    [ "$install" = 1 ] || fail "the environment is missing or older than requirements.txt, and installing is forbidden: run ./spark-submit.sh setup"
    exec 9> "$root/.setup.lock"
    if command -v flock >/dev/null; then flock 9; fi   # two first runs at once: the second waits
    environment_ready || install_environment
    export_spark
    jars_ready || ! needs_java || install_jars
    exec 9>&-   # a lock held by an inherited descriptor would outlive this script
    say "set-up: done"
  fi
}

export_spark() {
  export SPARK_HOME="$venv/lib/python3.11/site-packages/pyspark" SPARK_CONF_DIR="$root/conf" FASHIONREC_HOME="$root"
  # Executors of a cluster may have an environment of their own, such as ./environment/bin/python of `pack`.
  case "$master" in
    local*) export PYSPARK_PYTHON="$python" ;;
    *) export PYSPARK_PYTHON="${PYSPARK_PYTHON:-$python}" ;;
  esac
  export SPARK_LOG_DIR="${SPARK_LOG_DIR:-$root/logs}"
}

delta_jars() { local files=("$jars"/jars/*.jar); (IFS=$1; printf '%s' "${files[*]}"); }

# --- jobs ---------------------------------------------------------------------------------------

run_tests() {
  cd "$root"
  "$python" -m ruff format --check . && "$python" -m ruff check . && "$python" -m mypy || return 1
  PYSPARK_SUBMIT_ARGS="--master local[2] --jars $(delta_jars ,) --driver-class-path $(delta_jars :) pyspark-shell" "$python" -m pytest "$@"
}

install=1
[ "${NO_INSTALL:-0}" = 1 ] && install=0
job=""
master=${MASTER:-local[*]}
own_jars=""
spark_options=()
job_options=()
while [ $# -gt 0 ]; do
  case "$1" in
    --no-install) install=0 ;;
    # Spark's options with a value; the names are those of spark-submit --help.
    --master | --deploy-mode | --name | --jars | --packages | --exclude-packages | --repositories | --py-files \
      | --files | --archives | --conf | --properties-file | --driver-memory | --driver-java-options \
      | --driver-library-path | --driver-class-path | --executor-memory | --proxy-user | --driver-cores \
      | --total-executor-cores | --executor-cores | --num-executors | --principal | --keytab | --queue)
      [ $# -ge 2 ] || fail "$1 needs a value" 2
      case "$1" in
        --master) master=$2 ;;
        --jars) own_jars=,$2 ;;  # a list that Spark does not add up: it is joined to Delta's
        *) spark_options+=("$1" "$2") ;;
      esac
      shift ;;
    --supervise | --load-spark-defaults) spark_options+=("$1") ;;
    *) if [ -z "$job" ]; then job=$1; else job_options+=("$1"); fi ;;
  esac
  shift
done

case "$job" in
  "" | -h | --help | help) usage; [ -n "$job" ] && exit 0 || exit 2 ;;
esac
job=$(basename "${job%.py}")
job=${job//-/_}
if [ "$job" != setup ] && [ "$job" != test ] && [ ! -f "$root/jobs/$job.py" ]; then
  fail "there is no job '$job': ./spark-submit.sh help lists them" 2
fi

set_up
export_spark
case "$job" in
  setup) exit 0 ;;
  test) run_tests ${job_options[@]+"${job_options[@]}"}; exit ;;
esac
mkdir -p "$SPARK_LOG_DIR"
# Delta is on the driver's own class path too: Hive's server closes the jars of --jars as a client leaves.
submit=(--master "$master" --driver-class-path "$(delta_jars :)" ${spark_options[@]+"${spark_options[@]}"} --jars "$(delta_jars ,)$own_jars")
if [[ " ${spark_options[*]-} " == *" --deploy-mode cluster "* ]]; then
  exec "$SPARK_HOME/bin/spark-submit" "${submit[@]}" "$root/jobs/$job.py" ${job_options[@]+"${job_options[@]}"}
fi
# The job's Python starts spark-submit by itself, once it needs Spark: a job that spark-submit starts has
# its logs merged into its results, because Spark reads both from one stream.
PYSPARK_SUBMIT_ARGS="$(printf '%q ' "${submit[@]}")pyspark-shell"
export PYSPARK_SUBMIT_ARGS
exec "$python" "$root/jobs/$job.py" ${job_options[@]+"${job_options[@]}"}
