"""Spark's own Thrift server over the tables and views, for JDBC, ODBC and PyHive."""

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from py4j.java_gateway import JVMView
from py4j.protocol import Py4JError, Py4JJavaError

from fashionrec.errors import FashionrecError, UsageError, one_line
from fashionrec.settings import SqlServerSettings
from fashionrec.sql import create_tables
from fashionrec.sql_server.password import AUTHENTICATION, PASSWORD, USER, load_password
from fashionrec.store import Store
from fashionrec.urls import is_loopback

log = logging.getLogger(__name__)

_DEFAULT_SCHEMA = "default"
_START_SECONDS = 60
_LOOK_SECONDS = 5
_DELTA = "io.delta.sql.DeltaSparkSessionExtension"


def check_access(settings: SqlServerSettings) -> None:
    """Check that only this machine's users get in without a password.

    Raises:
        UsageError: it would listen for others without user and password, or only one is set.
    """
    given = [name for name in (USER, PASSWORD) if os.environ.get(name)]
    if len(given) == 1 or (not given and not is_loopback(settings.host)):
        raise UsageError(
            f"sql_server.host {settings.host}: the environment variables {USER} and {PASSWORD} "
            "must both be set, or neither, and then only this machine can be listened to "
            "(127.0.0.1)"
        )


@contextmanager
def serving(store: Store, settings: SqlServerSettings, schema: str = "") -> Iterator[str]:
    """Serve the tables and views, which are registered in the schema; yield the JDBC URL.

    Raises:
        FashionrecError: the server cannot be started, say as the port is taken.
    """
    jvm = store.spark._jvm
    assert jvm is not None
    _require_free(settings)
    _require_lasting_classes(jvm)
    schema = schema or _DEFAULT_SCHEMA
    create_tables(store, schema)
    properties = {
        "hive.server2.transport.mode": "binary",
        "hive.server2.thrift.bind.host": settings.host,
        "hive.server2.thrift.port": str(settings.port),
    }
    if os.environ.get(PASSWORD):
        load_password(jvm)
        properties |= AUTHENTICATION
    for name, value in properties.items():  # it reads Spark's own for some of these only
        jvm.java.lang.System.setProperty(name, value)
    start = jvm.org.apache.spark.sql.hive.thriftserver.HiveThriftServer2.startWithContext
    try:
        server = start(store.spark._jsparkSession.sqlContext())
    except Py4JJavaError as error:
        raise FashionrecError(f"the SQL server does not start: {one_line(error)}") from error
    try:
        _wait(settings)
        yield f"jdbc:hive2://{settings.host}:{settings.port}/{schema}"
    finally:
        server.stop()


def _require_lasting_classes(jvm: JVMView) -> None:
    """Check that Delta's classes outlive a client: Hive closes the jars of --jars as one leaves."""
    try:
        jvm.java.lang.ClassLoader.getSystemClassLoader().loadClass(_DELTA)
    except Py4JJavaError as error:
        raise FashionrecError(
            "the SQL server needs Delta's jars on the driver's own class path: start it by "
            "./spark-submit.sh sql-server, or give --driver-class-path with the jars of --jars"
        ) from error


def wait_for_end(store: Store) -> None:
    """Return at Ctrl-C.

    Raises:
        FashionrecError: Spark has ended before that.
    """
    try:
        while not store.spark.sparkContext._jsc.sc().isStopped():
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        return
    except Py4JError as error:  # the JVM is gone
        log.debug("the JVM does not answer", exc_info=error)
    raise FashionrecError("Spark has ended, and the SQL server with it: see spark.log")


def _require_free(settings: SqlServerSettings) -> None:
    """Check that the port can be had: the server would only log that it cannot."""
    try:
        socket.create_server((settings.host, settings.port)).close()
    except OSError as error:
        raise FashionrecError(
            f"sql_server.port {settings.port} of {settings.host}: {error.strerror}: give another "
            "one with --set sql_server.port=..."
        ) from error


def _wait(settings: SqlServerSettings) -> None:
    """Wait until the server listens, where it was told to."""
    for _ in range(_START_SECONDS * 10):
        try:
            socket.create_connection((settings.host, settings.port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise FashionrecError(f"the SQL server does not listen on {settings.host}:{settings.port}")
