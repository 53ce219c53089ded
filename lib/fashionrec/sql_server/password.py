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


def compile_password(jvm: JVMView) -> None:
    """Compile Password.java, and let Spark's class loader find it."""
    compiler = jvm.org.codehaus.janino.SimpleCompiler()
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    compiler.setParentClassLoader(loader)
    compiler.cook((files(__package__) / "Password.java").read_text())
    folder = Path(tempfile.mkdtemp(prefix="fashionrec-"))
    for name, code in compiler.getBytecodes().items():
        path = folder / f"{name.replace('.', '/')}.class"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(code)
    loader.addURL(jvm.java.io.File(str(folder)).toURI().toURL())
