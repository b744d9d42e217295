"""First process of a test's namespaces: sets the stage, then becomes the program under test, or its parent.

Run by harness.py as `enter.py SPEC PROGRAM ARG...`, SPEC being JSON:
  net    own network namespace: raise its loopback
  plain  the program is not PID 1: stay as PID 1, reap, and report what the program left behind when it ended
  uid, gid, groups, umask   who the program is
  stage  a shell's commands before that, as root
  refused   [number of a system call, its second argument or null, errno] each: what the program and its children get in the
            kernel's place
  dropped   numbers of capabilities that the program cannot have
  report a file for `plain`: one line `PID COMMAND` for each process that is still there
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
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


def refuse(calls):
    # seccomp(2): a filter in classic BPF. For each a load of its number, perhaps of its second argument (the lower half), and
    # an answer where they are the same; then: allowed.
    def statement(code, jump_true, jump_false, value):
        return struct.pack("HBBI", code, jump_true, jump_false, value)

    load, equals, answer = 0x20, 0x15, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
    program = b""
    for number, second, error in calls:
        program += statement(load, 0, 0, 0) + statement(equals, 0, 1 if second is None else 3, number)
        if second is not None:
            program += statement(load, 0, 0, 24) + statement(equals, 0, 1, second)
        program += statement(answer, 0, 0, 0x00050000 | error)  # SECCOMP_RET_ERRNO
    program += statement(answer, 0, 0, 0x7FFF0000)  # SECCOMP_RET_ALLOW
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0:
        libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    if libc.prctl(22, 2, ctypes.create_string_buffer(header, len(header)), 0, 0) != 0:  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
        raise OSError(ctypes.get_errno(), "seccomp")


def drop(capabilities):
    for number in capabilities:
        if ctypes.CDLL(None, use_errno=True).prctl(24, number, 0, 0, 0) != 0:  # PR_CAPBSET_DROP
            raise OSError(ctypes.get_errno(), "PR_CAPBSET_DROP")


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
    try:
        with open(report, "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in processes_left()))
    except OSError:  # where all is read-only nobody asks for it
        pass
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def main():
    spec = json.loads(sys.argv[1])
    program = sys.argv[2:]
    if spec.get("net"):
        raise_loopback()
    if spec.get("stage"):
        subprocess.run(["/bin/sh", "-ec", spec["stage"]], check=True)
    if spec.get("plain"):
        child = os.fork()
        if child != 0:
            watch_over(child, spec["report"])
        os.setsid()
    drop(spec.get("dropped", ()))
    become(spec)
    if spec.get("refused"):
        refuse(spec["refused"])
    os.execvp(program[0], program)


main()
