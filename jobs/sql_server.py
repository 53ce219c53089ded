"""Serve the tables and views to JDBC, ODBC and PyHive with Spark's Thrift server, until Ctrl-C."""

from fashionrec.cli import Context, run_job
from fashionrec.session import spark_session
from fashionrec.sql_server import check_access, serving, wait_for_end
from fashionrec.store import Store


def main(context: Context) -> None:
    """Serve the warehouse."""
    settings, schema = context.config.sql_server, context.config.metastore.schema_name
    check_access(settings)
    store = Store(spark_session("sql-server"), context.warehouse)
    with serving(store, settings, schema) as url:
        print(url, flush=True)
        wait_for_end(store)


if __name__ == "__main__":
    run_job(__doc__, main)
