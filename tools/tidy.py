"""The house rules as a check: python tools/tidy.py [ROOT] prints what breaks them and exits 1 if anything does.

Floors: imports go down only, for ``import`` as for ``cimport``, without cycles. Lengths: a function has at most
70 lines without its docstring, a file 800. Names: a file is named for what it holds. Text: no paths of one machine, no
unfinished business. What ruff, mypy and cython-lint check is not repeated here.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 800
# (file, function): lines it has now; an entry may shrink or go, never grow and never be added to
LONG_FUNCTIONS: dict[tuple[str, str], int] = {}
LONG_FILES: dict[str, int] = {}

FLOORS = {
    **dict.fromkeys(("units", "errors", "limits", "clock", "config", "wire"), 1.0),
    **dict.fromkeys(("core", "fix", "risk"), 2.0),
    "engine": 3.0,
    **dict.fromkeys(("gateways", "marketdata", "recorder", "client"), 4.0),
    "fix_market_data": 4.5,  # an outsider: reads the feed through client, shares answers and logons with gateways
    **dict.fromkeys(("refdata", "store"), 5.0),
    **dict.fromkeys(("auth", "pricing"), 5.1),
    "portfolio": 5.2,
    **dict.fromkeys(("analytics", "compliance", "strategies", "backtest", "connectors"), 5.3),
    **dict.fromkeys(("api", "web"), 6.0),
    "app": 7.0,
    "sim": 7.0,  # aside: may use every room but app
    "": 0.0,  # tradsys itself
    "__main__": 8.0,
}
# same floor, or from the services into the engine wing: allowed one by one
NEIGHBOURS = {
    ("recorder", "client"),
    ("app", "sim"),
    ("backtest", "engine"),
    ("backtest", "recorder"),
}
ENGINE_WING = {"engine", "gateways", "marketdata", "recorder"}  # closed to floors 5 and 6
TIMELESS_ROOMS = ("core", "engine")  # neither reads a clock nor draws a random number
CLOCKS = re.compile(r"^(time|datetime|random|secrets|uuid|libc\.time|posix\.time|numpy\.random)\b")
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc", "stuff"}
GENERATED = re.compile(r"[Gg]enerated by tools/\w+")
MACHINE_PATH = re.compile(r"(?<![\w.$}*-])/(?:work|root|home|Users|tmp/(?:w|venv))/[\w.]")
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))")
ENUM_EXPRESSION = re.compile(r"^\s+[A-Z][A-Z0-9]*_[A-Z0-9_]* = [^#\"']*(?:<<|[*/+]|\w -)")  # in a cdef enum
LINK = re.compile(r"\]\(([^)\s]+)\)")
CYTHON_IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import\s+(.+)|c?import\s+([\w., ]+))")
CYTHON_FUNCTION = re.compile(r"^(\s*)(?:async\s+)?(?:c?p?def|cdef)\s(?!class\s)[^=]*?(\w+)\s*\(")
TEXT_SUFFIXES = {
    ".py",
    ".pyi",
    ".pyx",
    ".pxd",
    ".pxi",
    ".md",
    ".toml",
    ".yaml",
    ".yml",
    ".xml",
    ".h",
    ".c",
    ".sh",
    ".cfg",
    "",
}


@dataclass(frozen=True, order=True)
class Finding:
    """One broken rule."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Import:
    """One imported module and the line that imports it."""

    line: int
    module: str
    at_import_time: bool = True


class Source:
    """One file of the repository.

    Parameters
    ----------
    root, path : Path
        The repository, and the file in it.
    """

    def __init__(self, root: Path, path: Path) -> None:
        self.path = path.relative_to(root)
        self.name = self.path.as_posix()
        self.text = path.read_text(encoding="utf-8", errors="replace")
        self.lines = self.text.split("\n")
        self.is_generated = bool(GENERATED.search(self.text[:1000])) and path.suffix not in ("", ".toml")
        self.is_generated = (
            self.is_generated and self.path.parts[0] != "tools" and self.path.parts[0] != "tests"
        )

    @property
    def module(self) -> str:
        """Dotted name of a file of the package, else nothing."""
        parts = self.path.with_suffix("").parts
        is_code = self.path.suffix in (".py", ".pyx", ".pxd")
        if not is_code or parts[:2] not in (("src", "tradsys"), ("cython", "tradsys")):
            return ""
        names = parts[1:-1] if parts[-1] == "__init__" else parts[1:]
        return ".".join(names)

    @property
    def room(self) -> str:
        """Room of a file of the package: ``core`` of tradsys.core.engine."""
        return room_of(self.module)


def room_of(module: str) -> str:
    """Room of a module of the package, or nothing."""
    return [*module.split("."), ""][1]


# ------------------------------------------------------------------------------------------- floors


def imports(source: Source) -> Iterator[Import]:
    """Walk over what a Python or Cython file imports, ``from a import b`` as ``a.b``."""
    if source.path.suffix in (".pyx", ".pxd"):
        yield from cython_imports(source)
        return
    tree = ast.parse(source.text)
    lazy = {child for node in ast.walk(tree) if is_lazy(node) for child in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node.lineno, alias.name, node not in lazy)
        elif isinstance(node, ast.ImportFrom):
            prefix = "." * node.level + (node.module or "")
            for alias in node.names:
                yield Import(node.lineno, f"{prefix}.{alias.name}", node not in lazy)


def is_lazy(node: ast.AST) -> bool:
    """Tell whether what lies in this node is not run when the module is imported."""
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))


def cython_imports(source: Source) -> Iterator[Import]:
    """Find the imports and cimports of a Cython file by pattern; parentheses are joined first."""

    def one_line(match: re.Match[str]) -> str:
        return "(" + match[1].replace("\n", " ") + ")" + "\n" * match[0].count("\n")

    text = re.sub(r"\(\s*\n([^()]*)\)", one_line, source.text)
    for number, line in enumerate(text.split("\n"), 1):
        match = CYTHON_IMPORT.match(line)
        if not match:
            continue
        if match[1]:
            for name in match[2].split("#")[0].strip(" ()").split(","):
                if name.strip():
                    yield Import(number, f"{match[1]}.{name.split(' as ')[0].strip()}")
        else:
            for name in match[3].split(","):
                yield Import(number, name.split(" as ")[0].strip())


def check_floors(sources: list[Source]) -> Iterator[Finding]:
    """Imports go down only."""
    for source in sources:
        if not source.module:
            continue
        for item in imports(source):
            problem = floor_problem(source, item)
            if problem:
                yield Finding(source.name, item.line, problem)


def floor_problem(source: Source, item: Import) -> str:
    """Say what is wrong with one import, or nothing."""
    if item.module.startswith("."):
        return f"import of {item.module}: name modules in full, from tradsys on"
    if source.room in TIMELESS_ROOMS and CLOCKS.match(item.module):
        return f"{source.room} reads no clock and draws no random number, but imports {item.module}"
    if not item.module.startswith("tradsys"):
        return ""
    here, there = source.room, room_of(item.module)
    there = there if there in FLOORS else ""
    if here not in FLOORS:
        return f"room {here} has no floor in tools/tidy.py"
    if here == there or (here, there) in NEIGHBOURS:
        return ""
    if there == "app" and here != "__main__":
        return "app is imported by nobody"
    if there == "sim":
        return "sim stands aside: only app, tests and benchmarks use it"
    if 5 <= FLOORS[here] < 7 and there in ENGINE_WING:
        return f"{here} reaches {there} through tradsys.client only"
    if FLOORS[there] > FLOORS[here]:
        return f"{here} (floor {FLOORS[here]:g}) must not import {there} (floor {FLOORS[there]:g})"
    if FLOORS[there] == FLOORS[here] and FLOORS[here] > 1:
        return f"{here} and {there} live on the same floor and must not know each other"
    return ""


def check_cycles(sources: list[Source]) -> Iterator[Finding]:
    """No module imports itself, however long the way."""
    modules = {source.module: source for source in sources if source.module and source.path.suffix != ".pxd"}
    edges: dict[str, set[str]] = {}
    for module, source in modules.items():
        found = [item.module for item in imports(source) if item.at_import_time]
        targets = {name if name in modules else name.rpartition(".")[0] for name in found}
        edges[module] = {target for target in targets if target in modules and target != module}
    done: set[str] = set()
    for start in sorted(edges):
        cycle = find_cycle(start, edges, [], done)
        done.update(cycle)
        if cycle:
            yield Finding(modules[cycle[0]].name, 1, f"import cycle: {' -> '.join(cycle)}")


def find_cycle(module: str, edges: dict[str, set[str]], path: list[str], done: set[str]) -> list[str]:
    """Search depth first; return the modules of a cycle, or nothing."""
    if module in path:
        return [*path[path.index(module) :], module]
    if module in done:
        return []
    for target in sorted(edges[module]):
        cycle = find_cycle(target, edges, [*path, module], done)
        if cycle:
            return cycle
    done.add(module)
    return []


# ------------------------------------------------------------------------------------------- lengths


def functions(source: Source) -> Iterator[tuple[str, int, int]]:
    """Walk over name, first line and number of lines (without docstring) of all functions of a file."""
    if source.path.suffix == ".py":
        for node in ast.walk(ast.parse(source.text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                first = node.body[0]
                if ast.get_docstring(node) is not None:
                    lines -= (first.end_lineno or first.lineno) - first.lineno + 1
                yield node.name, node.lineno, lines
    elif source.path.suffix == ".pyx":
        yield from cython_functions(source)


def cython_functions(source: Source) -> Iterator[tuple[str, int, int]]:
    """Find the functions of a .pyx file by their indentation."""
    for number, line in enumerate(source.lines, 1):
        match = CYTHON_FUNCTION.match(line)
        if not match:
            continue
        ends = (n for n in range(number, len(source.lines) + 1) if ends_signature(source.lines[n - 1]))
        signature = next(ends, number)
        last = signature
        for position in range(signature, len(source.lines)):
            text = source.lines[position]
            if text.strip() and len(text) - len(text.lstrip()) <= len(match[1]):
                break
            last = position + 1 if text.strip() else last
        body = "\n".join(source.lines[signature:last])
        docstring = re.match(r'\s*"""(?:.|\n)*?"""', body)
        yield match[2], number, last - number + 1 - (docstring[0].count("\n") + 1 if docstring else 0)


def ends_signature(line: str) -> bool:
    """Tell whether a function's head ends on this line."""
    return line.split("#")[0].rstrip().endswith(":")


def check_lengths(sources: list[Source]) -> Iterator[Finding]:
    """Functions fit the eye, files fit the head."""
    for source in sources:
        if source.is_generated or source.path.suffix not in (".py", ".pyx", ".pxd", ".pyi"):
            continue
        allowed = LONG_FILES.get(source.name, FILE_LINES_MAX)
        if len(source.lines) > allowed:
            yield Finding(source.name, 1, f"file has {len(source.lines)} lines, at most {allowed}")
        for name, line, lines in functions(source):
            allowed = LONG_FUNCTIONS.get((source.name, name), FUNCTION_LINES_MAX)
            if lines > allowed:
                yield Finding(source.name, line, f"function {name} has {lines} lines, at most {allowed}")


# ------------------------------------------------------------------------------------------- names and text


def check_names(sources: list[Source]) -> Iterator[Finding]:
    """Files are named for what they hold; a compiled and a Python module never share a name."""
    names = {source.name for source in sources}
    for source in sources:
        if source.path.suffix in (".py", ".pyx") and source.path.stem in VAGUE_NAMES:
            yield Finding(source.name, 1, f"a file is named for what it holds, not {source.path.stem}")
        if source.path.suffix == ".pxi":
            yield Finding(source.name, 1, "no .pxi files: declarations live in a .pxd")
        if source.path.suffix != ".pyx" or source.path.parts[0] != "cython":
            continue
        face = "src" + source.name.removeprefix("cython").removesuffix(".pyx")
        if f"{face}.py" in names:
            yield Finding(source.name, 1, f"shares its name with {face}.py; the compiled module would win")
        if f"{face}.pyi" not in names:
            yield Finding(source.name, 1, f"has no {face}.pyi")


def check_text(sources: list[Source]) -> Iterator[Finding]:
    """No paths of one machine, no unfinished business; per folder a few words that do not belong there."""
    for source in sources:
        for number, line in enumerate(source.lines, 1):
            for problem in line_problems(source, line):
                yield Finding(source.name, number, problem)


def check_links(sources: list[Source], root: Path) -> Iterator[Finding]:
    """Links of Markdown files to files of the repository lead somewhere."""
    for source in sources:
        if source.path.suffix != ".md":
            continue
        for number, line in enumerate(source.lines, 1):
            for target in LINK.findall(line):
                place = (root / source.path).parent / target.split("#")[0]
                if not re.match(r"[a-z]+:", target) and not place.exists():
                    yield Finding(source.name, number, f"the link to {target} leads nowhere")


def line_problems(source: Source, line: str) -> Iterator[str]:
    """Say what is wrong with one line."""
    if MACHINE_PATH.search(line):
        yield "a path of one machine"
    if UNFINISHED.search(line) and source.name not in ("tools/tidy.py", "tests/tools/test_tidy.py"):
        yield "unfinished: do it, or name its issue as in TODO" + "(#12)"
    if source.path.suffix in (".pyx", ".pxd"):
        if re.match(r"\s*#\s*cython:", line):
            yield "compiler directives live in setup.py"
        if ENUM_EXPRESSION.match(line):
            yield "value of a cdef enum: write the number, expressions crash Cython 3.3 with overflowcheck"
        if re.match(r"\s*include\s+['\"]", line):
            yield "include: cimport from a .pxd"
    if source.module not in ("", "tradsys.units") and re.match(r"\s*(?:from|import)\s+decimal\b", line):
        yield "Decimal lives in tradsys.units only"
    if source.path.parts[0] == "tests" and "process" not in source.path.parts and "time.sleep(" in line:
        yield "a unit test does not sleep; use ManualClock or poll a socket with a timeout"


# ------------------------------------------------------------------------------------------- running


def read_sources(root: Path) -> list[Source]:
    """Read the text files git knows or would add; without git, all but hidden folders and build."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0 and listed.stdout.strip():
        paths = [root / name for name in listed.stdout.splitlines()]
    else:
        hidden = re.compile(r"^(?:\.|build$)")
        paths = [path for path in root.rglob("*") if not any(map(hidden.match, path.relative_to(root).parts))]
    wanted = [path for path in sorted(paths) if path.is_file() and path.suffix in TEXT_SUFFIXES]
    return [Source(root, path) for path in wanted]


def tidy(root: Path) -> list[Finding]:
    """Run all checks over a repository."""
    sources = read_sources(root)
    checks = (check_floors, check_cycles, check_lengths, check_names, check_text)
    found = {finding for check in checks for finding in check(sources)}
    return sorted(found | set(check_links(sources, root)))


def main(arguments: list[str]) -> int:
    """Print the findings; 1 when there are any."""
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    findings = tidy(root)
    print("\n".join(map(str, findings)) if findings else "tidy: all rules hold")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
