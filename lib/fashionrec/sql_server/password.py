"""A user and a password for the Thrift server: a class of ours, which Spark itself compiles."""

import tempfile
from importlib.resources import files
from pathlib import Path

from py4j.java_gateway import JVMView

USER, PASSWORD = "FASHIONREC_SQL_USER", "FASHIONREC_SQL_PASSWORD"

AUTHENTICATION = {
    "hive.server2.authentication": "CUSTOM",
    "hive.server2.custom.authentication.class": "fashionrec.Password",
}


def compile_password(jvm: JVMView) -> Path:
    """Compile Password.java into a new folder, and return it."""
    compiler = jvm.org.codehaus.janino.SimpleCompiler()
    compiler.cook((files(__package__) / "Password.java").read_text())
    folder = Path(tempfile.mkdtemp(prefix="fashionrec-"))
    for name, code in compiler.getBytecodes().items():
        path = folder / f"{name.replace('.', '/')}.class"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(code)
    return folder
