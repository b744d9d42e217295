"""First process of a test's namespaces: sets the stage, then becomes the program under test, or its parent.

Run by harness.py as `enter.py SPEC PROGRAM ARG...`, SPEC being JSON:
  net    own network namespace: raise its loopback
  plain  the program is not PID 1: stay as PID 1, reap, and report what the program left behind when it ended
  uid, gid, groups, umask   who the program is
  report a file for `plain`: one line `PID COMMAND` for each process that is still there
"""

import fcntl
import json
import os
import signal
import socket
import struct
import sys


def raise_loopback():
    up_and_running = 0x1 | 0x40  # IFF_UP, IFF_RUNNING: netdevice(7)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14s", b"lo", up_and_running, b""))  # SIOCSIFFLAGS


def become(spec):
    if "umask" in spec:
        os.umask(spec["umask"])
    if "uid" in spec:
        os.setgroups(spec.get("groups", []))
        os.setgid(spec.get("gid", spec["uid"]))
        os.setuid(spec["uid"])
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):  # Python changes these at its start
        signal.signal(number, signal.SIG_DFL)


def processes_left():
    left = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stat:
                text = stat.read()
        except OSError:
            continue
        if text.rpartition(")")[2].split()[0] != "Z":
            left.append(f"{name} {text[text.index('(') + 1:text.rindex(')')]}")
    return left


def watch_over(child, report):
    while True:
        pid, status = os.wait()
        if pid == child:
            break
    with open(report, "w", encoding="utf-8") as file:
        file.write("".join(line + "\n" for line in processes_left()))
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def main():
    spec = json.loads(sys.argv[1])
    program = sys.argv[2:]
    if spec.get("net"):
        raise_loopback()
    if spec.get("plain"):
        child = os.fork()
        if child != 0:
            watch_over(child, spec["report"])
        os.setsid()
    become(spec)
    os.execvp(program[0], program)


main()
