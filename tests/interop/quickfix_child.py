"""A QuickFIX initiator in a process of its own: python quickfix_child.py CONFIG USERNAME PASSWORD

Commands come as JSON lines on stdin, everything the engine reports goes as JSON lines to stdout. When stdin ends it logs out.
"""

import json
import sys
import threading

import quickfix as fix

LOCK = threading.Lock()
CONFIG, USERNAME, PASSWORD = sys.argv[1:4]


def say(event, message=None):
    with LOCK:
        print(
            json.dumps({"event": event, "text": None if message is None else message.toString()}), flush=True
        )


class Application(fix.Application):
    """Reports everything; it is called on the engine's thread."""

    session_id = None

    def onCreate(self, session_id):
        self.session_id = session_id

    def onLogon(self, session_id):
        say("logon")

    def onLogout(self, session_id):
        say("logout")

    def toAdmin(self, message, session_id):
        if message.getHeader().getField(35) == "A":
            message.setField(553, USERNAME)
            message.setField(554, PASSWORD)
        say("out", message)

    def toApp(self, message, session_id):
        say("out", message)

    def fromAdmin(self, message, session_id):
        say("in", message)

    def fromApp(self, message, session_id):
        say("in", message)


def carry_out(command, application):
    session = fix.Session.lookupSession(application.session_id)
    if command["do"] == "send":
        message = fix.Message()
        for tag, value in command["fields"]:
            if tag in (35, 97, 115, 116):
                message.getHeader().setField(tag, value)
            else:
                message.setField(tag, value)
        for count, first, entries in command["groups"]:
            for entry in entries:
                group = fix.Group(count, first)
                for tag, value in entry:
                    group.setField(tag, value)
                message.addGroup(group)
        fix.Session.sendToTarget(message, application.session_id)
    elif command["do"] == "expect":
        session.setNextTargetMsgSeqNum(command["next_in"])
    else:
        {"logon": session.logon, "logout": session.logout}[command["do"]]()


def main():
    settings = fix.SessionSettings(CONFIG)
    application = Application()
    store, log = fix.FileStoreFactory(settings), fix.FileLogFactory(settings)
    initiator = fix.SocketInitiator(application, store, settings, log)
    initiator.start()
    for line in sys.stdin:
        carry_out(json.loads(line), application)
    initiator.stop()


if __name__ == "__main__":
    main()
