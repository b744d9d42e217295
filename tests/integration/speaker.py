"""A service that says things, in the order of its words:

  say TEXT        itself, to NOTIFY_SOCKET; a `|` in it is a newline
  child TEXT      a child of its own says it, and is gone before the next word
  child-of UID TEXT   the same as another user
  group TEXT      a child in a process group of its own says it, and stays
  outside TEXT    a child that has left the session says it, and stays
  to FILE TEXT    itself, to another socket
  write FD TEXT   to a descriptor; `close FD`
  env NAME        prints a variable
  print TEXT      a line on stdout
  wait FILE       until somebody opens this FIFO for writing and closes it
  serve PORT ANSWER   answers each connection to a port of 127.0.0.1 with this, from then on, in a thread
  hold            stays
  exit CODE
"""

import os
import signal
import socket
import sys
import threading

words = iter(sys.argv[1:])


def say(text, path=None):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.connect(path or os.environ["NOTIFY_SOCKET"])
        end.send(text.replace("|", "\n").encode())


def child(begin, text, stays):
    said, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        begin()
        say(text)
        os.close(told)
        if stays:
            signal.pause()
        os._exit(0)
    os.close(told)
    os.read(said, 1)
    os.close(said)
    if not stays:
        os.waitpid(pid, 0)


def serve(port, answer):
    listening = socket.create_server(("127.0.0.1", port))

    def answer_all():
        while True:
            connection = listening.accept()[0]
            with connection:
                connection.recv(1000)
                connection.sendall(answer)
    threading.Thread(target=answer_all, daemon=True).start()


for word in words:
    if word == "say":
        say(next(words))
    elif word == "child":
        child(lambda: None, next(words), stays=False)
    elif word == "child-of":
        uid = int(next(words))
        child(lambda: os.setuid(uid), next(words), stays=False)
    elif word == "group":
        child(lambda: os.setpgid(0, 0), next(words), stays=True)
    elif word == "outside":
        child(os.setsid, next(words), stays=True)
    elif word == "to":
        path = next(words)
        say(next(words), path)
    elif word == "write":
        fd = int(next(words))
        os.write(fd, next(words).replace("|", "\n").encode())
    elif word == "close":
        os.close(int(next(words)))
    elif word == "env":
        print(f"{(name := next(words))}={os.environ.get(name)}", flush=True)
    elif word == "print":
        print(next(words), flush=True)
    elif word == "wait":
        with open(next(words), "rb") as fifo:
            fifo.read()
    elif word == "serve":
        port = int(next(words))
        serve(port, next(words).encode())
    elif word == "hold":
        signal.pause()
    elif word == "exit":
        sys.exit(int(next(words)))
    else:
        sys.exit(f"{word}: no such word")
