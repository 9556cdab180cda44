"""Compiled modules of TradSys: every cython/tradsys/<room>/<file>.pyx becomes tradsys.<room>.<file>.

Settings are environment variables, so that pip, make and a developer's shell use the same ones:

TRADSYS_BUILD  release (default) or debug. The two differ in checks, never in meaning.
TRADSYS_MARCH  value of gcc's -march; default x86-64, which every 64-bit machine runs. The Makefile says native.
TRADSYS_ONLY   comma-separated prefixes, e.g. ``core,wire.layout``: build these modules only.
TRADSYS_TAG    name of the folders of intermediate files; builds with CFLAGS of their own have one of their own.
TRADSYS_JOBS   compilers run side by side; default the number of processors.
"""

import os
import shutil
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_py import build_py

SOURCE = Path("cython")
RECORDS = Path("cython", "tradsys", "wire", "records.h")  # what every module knows of the wire, also through C
FIX_DICTIONARIES = (Path("fix_specs", "TRADSYS-FIX44.xml"), Path("fix_specs", "CONFORMANCE-FIX44.xml"))
BUILD = os.environ.get("TRADSYS_BUILD", "release")
MARCH = os.environ.get("TRADSYS_MARCH", "x86-64")
ONLY = tuple(prefix for prefix in os.environ.get("TRADSYS_ONLY", "").split(",") if prefix)
TAG = os.environ.get("TRADSYS_TAG", f"{BUILD}-{MARCH}")
JOBS = int(os.environ.get("TRADSYS_JOBS", os.cpu_count() or 1))

# cdivision is on in both builds: flipped, -7 // 2 would be -4 in one and -3 in the other.
# nonecheck stays off: it breaks attribute updates in nogil functions.
DIRECTIVES = {"language_level": 3, "cdivision": True, "nonecheck": False, "embedsignature": False}
UNCHECKED = {"boundscheck": False, "wraparound": False, "initializedcheck": False, "overflowcheck": False}
CHECKED = {"boundscheck": True, "wraparound": False, "initializedcheck": True, "overflowcheck": True}
QUIET = ["-Wno-unused"]  # what is left over where assertions were
BUILDS = {
    "release": (UNCHECKED, ["-O3", "-g0", *QUIET], [("CYTHON_WITHOUT_ASSERTIONS", "1")]),
    # Cython's overflow check takes the difference of two byte pointers as one of integers
    "debug": (CHECKED, ["-O0", "-g", "-UNDEBUG", "-Wno-int-conversion"], []),
}
if BUILD not in BUILDS:
    raise SystemExit(f"TRADSYS_BUILD must be release or debug, was {BUILD!r}")
CHECKS, FLAGS, MACROS = BUILDS[BUILD]


class BuildPy(build_py):
    """Ship with the package what lies outside of it.

    The C and Cython headers, so that others can cimport the compiled core; the FIX dictionaries.
    """

    def run(self) -> None:
        """Copy the sources, then the rest."""
        super().run()
        for header in [*SOURCE.rglob("*.pxd"), *SOURCE.rglob("*.h")]:
            self.ship(header, header.relative_to(SOURCE))
        for dictionary in FIX_DICTIONARIES:
            self.ship(dictionary, Path("tradsys", "fix", dictionary.name))

    def ship(self, source: Path, place: Path) -> None:
        """Copy one file to its place in the package."""
        target = Path(self.build_lib, place)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def extension(path: Path) -> Extension:
    """Describe the module of one .pyx file."""
    return Extension(
        ".".join(path.relative_to(SOURCE).with_suffix("").parts),
        [str(path)],
        include_dirs=[str(SOURCE), numpy.get_include()],
        depends=[str(header) for header in (RECORDS, *path.parent.glob("*.h"))],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION"), *MACROS],
        # -fwrapv: signed arithmetic wraps in C as it does in NumPy, in both builds
        extra_compile_args=[*FLAGS, f"-march={MARCH}", "-fwrapv", "-fvisibility=hidden"],
    )


def extensions() -> list[Extension]:
    """Describe the modules asked for."""
    found = [extension(path) for path in sorted(SOURCE.rglob("*.pyx"))]
    return [ext for ext in found if not ONLY or ext.name.removeprefix("tradsys.").startswith(ONLY)]


if __name__ == "__main__":
    setup(
        ext_modules=cythonize(
            extensions(),
            nthreads=JOBS,
            include_path=[str(SOURCE)],
            build_dir=f"build/c-{TAG}",
            compiler_directives=DIRECTIVES | CHECKS,
        ),
        cmdclass={"build_py": BuildPy},
        options={"build_ext": {"parallel": JOBS, "build_temp": f"build/o-{TAG}"}},
    )
