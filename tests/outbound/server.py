"""Another SMTP server, for tests of what becomes of mail that goes out. Standard library only."""
import re
import socket
import threading


class Server(threading.Thread):
    """An SMTP server whose answer to RCPT is said by the local part: `r550.1.1.1` is `550 5.1.1`, `hangup` hangs up."""

    def __init__(self, greeting=b"220 other.test\r\n", once=False, offers=b"", eight=True):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("0.0.0.0", 0))
        self.port = self.listener.getsockname()[1]
        # Takes one message from a connection, then hangs up.
        self.once = once
        self.on_data = lambda: None
        self.greeting = greeting
        # Lines of EHLO more, and all lines of MAIL and RCPT that came.
        self.offers, self.lines, self.last = offers, [], b"250 8BITMIME\r\n" if eight else b"250 HELP\r\n"
        self.taken = []
        self.tries = {}
        self.start()

    def run(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        reader, say = connection.makefile("rb"), connection.sendall
        recipients = []
        try:
            say(self.greeting)
            for line in reader:
                word = line[:4].upper()
                if word in (b"MAIL", b"RCPT"):
                    self.lines.append(line.decode().strip())
                if word == b"EHLO":
                    say(b"250-other.test\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n" + self.offers + self.last)
                elif word == b"RCPT":
                    local = re.search(rb"<([^@]*)@", line).group(1).decode()
                    self.tries[local] = self.tries.get(local, 0) + 1
                    if local == "hangup":
                        connection.shutdown(socket.SHUT_RDWR)
                        return
                    code = re.match(r"r(\d)(\d\d)\.(\d)\.(\d+)", local)
                    if code and not (local.startswith("r4") and local.endswith("once") and self.tries[local] > 1):
                        kind, rest, subject, detail = code.groups()
                        say(f"{kind}{rest}-{kind}.{subject}.{detail} we do not like it,\r\n{kind}{rest} {kind}.{subject}.{detail} sorry\r\n".encode())
                    else:
                        recipients.append(local)
                        say(b"250 2.1.5 Ok\r\n")
                elif word == b"DATA":
                    if not recipients:
                        say(b"554 5.5.1 No valid recipients\r\n")
                        continue
                    say(b"354 Go on\r\n")
                    if "early" in recipients:
                        reader.read(4096)
                        say(b"554 5.3.4 too much\r\n")
                        return
                    self.on_data()
                    text = b""
                    while not text.endswith(b"\r\n.\r\n"):
                        text += reader.readline()
                    self.taken.append((tuple(recipients), text))
                    recipients = []
                    say(b"250 2.0.0 Ok\r\n")
                    if self.once:
                        return
                elif word == b"QUIT":
                    say(b"221 Bye\r\n")
                    return
                else:
                    if word == b"RSET":
                        recipients = []
                    say(b"250 2.0.0 Ok\r\n")
        except OSError:
            pass
        finally:
            connection.close()
