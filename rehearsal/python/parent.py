"""Ties the life of a backend to the process that started it.

What it must not do: know anything of the backend.
"""

import os
import shutil
import signal
import sys
import threading

INSTANCE_DIR = os.environ["RIPCORD_REHEARSAL_DIR"]


def end_with_parent(tidy=lambda: None):
    """Ends this process group when the parent closes our standard input, and removes the instance's folder.

    The kernel closes that pipe however the parent ends, SIGKILL included. A parent-death signal would not do: it is
    bound to the thread that started us, and that thread may end long before its process does.
    """

    def watch():
        while os.read(0, 4096):
            pass
        tidy()
        shutil.rmtree(INSTANCE_DIR, ignore_errors=True)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    if os.getpgrp() != os.getpid():
        fail("not the leader of a process group of its own")
    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def fail(message):
    print(f"rehearsal: {message}", file=sys.stderr, flush=True)
    raise SystemExit(3)
