"""A venue that runs until it is killed: commits the flow and prints how far each commit was acknowledged.

Arguments: directory, durability, commands a commit. Prints "ready", then lines "<last seq> <released event seq>".
"""

import sys

from venue_flow import LOAD, START_NS, open_small, prepare


def main(path, durability, chunk):
    sequencer = open_small(path, durability, snapshot_commands=700)
    if sequencer.last_seq == 0:
        prepare(sequencer)
        sequencer.wait_released()
    print("ready", flush=True)
    base = len(LOAD.setup)  # any run goes on somewhere in the flow; repeats are refused or rest, both are deterministic
    at = sequencer.last_seq % base
    while True:
        commands = LOAD.commands[at : at + chunk]
        if len(commands) == 0:
            at = 0
            continue
        at += chunk
        sequencer.run(commands, START_NS + sequencer.last_seq)
        released = sequencer.wait_released()
        print(sequencer.last_seq, released, flush=True)
        sequencer.housekeeping()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
