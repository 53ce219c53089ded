"""A user and a password for the Thrift server: a class of ours, which Spark itself compiles."""

import tempfile
from importlib.resources import files
from pathlib import Path
from shutil import rmtree

from py4j.java_gateway import JVMView

USER, PASSWORD = "FASHIONREC_SQL_USER", "FASHIONREC_SQL_PASSWORD"

_CLASS = "fashionrec.Password"
AUTHENTICATION = {
    "hive.server2.authentication": "CUSTOM",
    "hive.server2.custom.authentication.class": _CLASS,
}


def load_password(jvm: JVMView) -> None:
    """Compile Password.java, and load it where Hive looks for classes."""
    compiler = jvm.org.codehaus.janino.SimpleCompiler()
    compiler.cook((files(__package__) / "Password.java").read_text())
    folder = Path(tempfile.mkdtemp(prefix="fashionrec-"))
    for name, code in compiler.getBytecodes().items():
        path = folder / f"{name.replace('.', '/')}.class"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(code)
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    loader.addURL(jvm.java.io.File(f"{folder}/").toURI().toURL())
    loader.loadClass(_CLASS)  # now: as the first client leaves, Hive closes this loader's files
    rmtree(folder)
