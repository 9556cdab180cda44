"""What an engine has defined: for a venue's start, which defines the rest."""
from tradsys.core.engine cimport Engine


def defined_ids(Engine engine not None):
    """List what is defined.

    Parameters
    ----------
    engine : Engine
        Not changed meanwhile.

    Returns
    -------
    dict of str to set of int
        Ids under "participants", "sessions", "accounts" and "instruments".
    """
    return {
        "participants": {i for i in range(engine.state.participants_max) if engine.state.participants[i].defined},
        "sessions": {i for i in range(engine.state.sessions_max) if engine.state.sessions[i].gate != 0},
        "accounts": {i for i in range(engine.state.accounts_max) if engine.state.accounts[i].participant_id != 0},
        "instruments": {i for i in range(engine.state.instruments_max) if engine.state.instruments[i].state != 0},
    }
