"""Run the FIX codec under the address and undefined-behaviour sanitizers: its tests, then bytes of a seed.

python tools/asan.py [--seconds 20] [--seed 1]

Builds the codec's modules with -fsanitize=address,undefined into build/asan and runs everything there with libasan loaded
before Python. A read behind the end of a message, an overflow, a misaligned access ends the run: with PYTHONMALLOC=malloc
each message is a block of its own, so that one byte too far is seen. Where gcc has no libasan it says so and does nothing.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "asan"
MODULES = "fix,gateways.fix_request,gateways.fix_text,gateways.fix_write"
TESTS = ["tests/fix/test_fields.py", "tests/fix/test_validation.py", "tests/gateways/test_fix_request.py"]
FLAGS = "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g"
# leaks are the interpreter's, which frees little at its end
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


def library() -> str | None:
    """Path of libasan; None: there is none."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return None
    path = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], capture_output=True, text=True
    ).stdout.strip()
    return path if Path(path).is_absolute() else None


def build() -> None:
    """Build the modules with the sanitizers; what they need besides is linked from the ordinary build."""
    environment = {
        **os.environ,
        "CFLAGS": FLAGS,
        "TRADSYS_ONLY": MODULES,
        "TRADSYS_MARCH": "x86-64",
        "TRADSYS_TAG": "asan",
    }
    command = [sys.executable, "setup.py", "--quiet", "build", "--build-lib", str(BUILD)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    for path in (ROOT / "src").rglob("*.so"):
        target = BUILD / path.relative_to(ROOT / "src")
        if not target.exists():
            shutil.copy2(path, target)


def fuzz(seconds: float, seed: int) -> int:
    """Feed damaged messages to the codec; how many."""
    from tradsys.fix.dictionary import load
    from tradsys.fix.fields import fields_of, use_blocks
    from tradsys.fix.message import frame_of
    from tradsys.fix.validation import Validator
    from tradsys.gateways.fix_request import read, split

    draw = random.Random(seed)
    dictionary = load(ROOT / "fix_specs" / "TRADSYS-FIX44.xml")
    validators = [Validator(dictionary, strict) for strict in (True, False)]
    tags = [*dictionary.fields, 0, -1, 10, 95, 96, 2**31 - 1, 70000]
    types = sorted(dictionary.messages)
    begin, count = time.monotonic(), 0
    while time.monotonic() - begin < seconds:
        fields = [(draw.choice(tags), draw.randbytes(draw.randrange(9))) for _ in range(draw.randrange(20))]
        data = bytearray(frame_of([(35, draw.choice(types).encode()), *fields]))
        for _ in range(draw.randrange(4)):
            at = draw.randrange(len(data) + 1)
            data[at : at + draw.randrange(3)] = draw.choice(
                [b"\x01", b"=", b"\x0110=", b"-", draw.randbytes(2), b""]
            )
        message = bytes(data)
        if draw.random() < 0.7 and (end := message.rfind(b"10=")) > 0:
            body = message[message.find(b"35=") : end]
            text = b"8=FIX.4.4\x019=%d\x01%b" % (len(body), body)
            message = text + b"10=%03d\x01" % (sum(text) % 256)
        for kind in (1, 2, 3, 0):
            if use_blocks(kind):
                fields_of(message)
        for validator in validators:
            validator.check(message)
        read(message)
        split(message + message[: draw.randrange(len(message) + 1)])
        count += 1
    return count


def main(arguments: list[str]) -> int:
    """Build, test, fuzz."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fuzz-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.fuzz_only:
        print(f"asan: {fuzz(options.seconds, options.seed):,} messages of seed {options.seed}, nothing found")
        return 0
    preload = library()
    if preload is None:
        print("asan: skipped, gcc has no libasan here")
        return 0
    build()
    environment = {
        **os.environ,
        **OPTIONS,
        "LD_PRELOAD": preload,
        "PYTHONPATH": str(BUILD),
        "PYTHONMALLOC": "malloc",
    }
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-o",
        "timeout=600",
        *TESTS,
    ]
    again = [
        sys.executable,
        __file__,
        "--fuzz-only",
        "--seconds",
        str(options.seconds),
        "--seed",
        str(options.seed),
    ]
    for command in (tests, again):
        if subprocess.run(command, cwd=ROOT, env=environment).returncode:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
