"""A night of fashionrec under Airflow, 2.10 or 3: put it beside your DAGs, and set the paths.

A retry has the run id of its first try, so it goes on where that was killed, as the same run.
"""

from datetime import datetime, timedelta

try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.exceptions import AirflowFailException, AirflowSkipException
    from airflow.operators.bash import BashOperator

PROJECT = "/opt/fashionrec"
WRONG_USE, REFUSED = 2, 3  # another try ends in the same way


class Night(BashOperator):
    """Fail at once where a retry is of no use; BashOperator can only skip, which looks well."""

    def __init__(self, **options):
        super().__init__(skip_on_exit_code=[WRONG_USE, REFUSED], **options)

    def execute(self, context):
        """Run the night; its record, a line of JSON, is the task's XCom."""
        try:
            return super().execute(context)
        except AirflowSkipException as error:
            raise AirflowFailException("nothing was published: see the last lines") from error


with DAG(
    "fashionrec_nightly",
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
):
    # 1 (failed, or killed) and 5 (another run holds the warehouse) are tried again.
    Night(
        task_id="nightly",
        # The run's id may be anybody's text: it reaches the shell as a variable.
        bash_command=(
            f'exec {PROJECT}/spark-submit.sh nightly --no-install --json --run-id "$RUN_ID" '
            "--catalogue /data/catalogue --warehouse /data/warehouse"
        ),
        env={"RUN_ID": "{{ run_id }}"},
        append_env=True,
        retries=3,
        retry_delay=timedelta(minutes=10),
        execution_timeout=timedelta(hours=4),
    )
