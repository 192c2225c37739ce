"""Small blocking SMTP, POP3 and IMAP clients for tests that must see every octet. Standard library only.

They know nothing that the server could have told them wrongly: no cache, no guessing. A reply that was not expected raises
Unexpected.
"""
import base64
import os
import re
import socket
import ssl
import subprocess
import zlib


class Unexpected(Exception):
    """The server said something else than it should."""


def require(condition, what):
    """What must hold, or else the test says `what`."""
    if not condition:
        raise Unexpected(what)


def plain(user, password):
    """The message of SASL PLAIN (RFC 4616), in base64."""
    return base64.b64encode(f"\0{user}\0{password}".encode())


def read_env(directory):
    """What scripts/rig wrote."""
    with open(os.path.join(directory, "env"), encoding="utf-8") as lines:
        return dict(line.rstrip("\n").split("=", 1) for line in lines if "=" in line)


def mailward(env, *words, password=None, timeout=60):
    """Runs a command of the server's binary against the rig's server."""
    done = subprocess.run([env["MAILWARD"], "--config", env["CONFIG"], *words], input=password, capture_output=True, text=True,
                          timeout=timeout, check=False)
    if done.returncode:
        raise Unexpected(f"mailward {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Connection:
    """A connection, read by lines and counts."""

    def __init__(self, host, port, authority=None, timeout=60):
        self.socket = socket.create_connection((host, int(port)), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if authority:
            self.socket = ssl.create_default_context(cafile=authority).wrap_socket(self.socket, server_hostname=host)
        self.buffer, self.at = b"", 0

    def send(self, octets):
        self.socket.sendall(octets)

    def fill(self):
        more = self.socket.recv(1 << 18)
        if not more:
            raise Unexpected("the server closed the connection")
        self.buffer, self.at = self.buffer[self.at:] + more, 0

    def line(self):
        """A line without its CRLF."""
        searched = self.at
        while (end := self.buffer.find(b"\n", searched)) < 0:
            searched = len(self.buffer) - self.at
            self.fill()
        line, self.at = self.buffer[self.at:end], end + 1
        if not line.endswith(b"\r"):
            raise Unexpected(f"a line that ends without CR: {line[:100]!r}")
        return line[:-1]

    def peek(self):
        """The first octet of what comes next."""
        if self.at == len(self.buffer):
            self.fill()
        return self.buffer[self.at:self.at + 1]

    def exactly(self, count):
        chunks, wanted = [], count
        while True:
            chunk = self.buffer[self.at:self.at + wanted]
            chunks.append(chunk)
            self.at += len(chunk)
            wanted -= len(chunk)
            if not wanted:
                return b"".join(chunks)
            self.fill()

    def close(self):
        self.socket.close()


class Smtp(Connection):
    """RFC 5321."""

    def __init__(self, *arguments, hello=b"client.example.net", **options):
        super().__init__(*arguments, **options)
        self.expect(b"220")
        self.send(b"EHLO " + hello + b"\r\n")
        self.extensions = self.expect(b"250")

    def reply(self):
        """A reply's code and its lines."""
        lines = []
        while True:
            line = self.line()
            lines.append(line)
            if line[3:4] != b"-":
                return line[:3], lines

    def expect(self, code):
        got, lines = self.reply()
        if got != code:
            raise Unexpected(f"SMTP {b' '.join(lines)!r}, not {code.decode()}")
        return lines

    def log_in(self, user, password):
        self.send(b"AUTH PLAIN " + plain(user, password) + b"\r\n")
        self.expect(b"235")
        return self

    def mail(self, sender, recipients, message, parameters="", each=""):
        """Sends a message by DATA to recipients that must all be taken; the reply to it. `each` goes behind every RCPT."""
        lines = [f"MAIL FROM:<{sender}>{parameters}", *(f"RCPT TO:<{recipient}>{each}" for recipient in recipients), "DATA"]
        for line in lines:
            self.send(f"{line}\r\n".encode())
            self.expect(b"354" if line == "DATA" else b"250")
        self.send(dot_stuffed(message))
        return self.reply()


def dot_stuffed(message):
    """A message as DATA carries it, its end included."""
    stuffed = re.sub(rb"(?m)^\.", b"..", message) if b"\n." in message or message[:1] == b"." else message
    return stuffed + (b".\r\n" if message.endswith(b"\r\n") or not message else b"\r\n.\r\n")


class Pop3(Connection):
    """RFC 1939."""

    def __init__(self, host, port, authority, user, password):
        super().__init__(host, port, authority)
        self.ok()
        self.send(f"USER {user}\r\nPASS {password}\r\n".encode())
        self.ok()
        self.ok()

    def ok(self):
        line = self.line()
        if not line.startswith(b"+OK"):
            raise Unexpected(f"POP3 {line!r}")
        return line

    def multiline(self):
        """The lines of a reply, dots undone, as one text."""
        self.ok()
        # The line end of +OK is part of the end where the text is empty.
        self.at -= 2
        searched = self.at
        while (end := self.buffer.find(b"\r\n.\r\n", searched)) < 0:
            searched = max(len(self.buffer) - 4, self.at) - self.at
            self.fill()
        text, self.at = self.buffer[self.at + 2:end + 2], end + 5
        return re.sub(rb"(\A|\r\n)\.", rb"\1", text)


class Deflated:
    """A socket on which both sides compress (RFC 4978)."""

    def __init__(self, raw):
        self.raw, self.came = raw, 0
        self.deflate, self.inflate = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)

    def sendall(self, octets):
        self.raw.sendall(self.deflate.compress(octets) + self.deflate.flush(zlib.Z_SYNC_FLUSH))

    def recv(self, most):
        while octets := self.raw.recv(most):
            self.came += len(octets)
            if out := self.inflate.decompress(octets):
                return out
        return b""

    def close(self):
        self.raw.close()


class Imap(Connection):
    """RFC 9051 and 3501."""

    def __init__(self, host, port, authority=None, user=None, password=None, **options):
        super().__init__(host, port, authority, **options)
        self.tags = 0
        self.greeting = self.response()
        if user:
            self.command(b"AUTHENTICATE PLAIN " + plain(user, password))

    def compress(self):
        """From here on both sides compress."""
        self.command(b"COMPRESS DEFLATE")
        require(self.at == len(self.buffer), "something came behind the answer to COMPRESS")
        self.socket = Deflated(self.socket)

    def response(self):
        """A whole response with the literals in it: a list of pieces, text and literal by turns."""
        pieces = []
        while True:
            line = self.line()
            pieces.append(line)
            literal = re.search(rb"~?\{(\d+)\}$", line)
            if not literal:
                return pieces
            pieces.append(self.exactly(int(literal.group(1))))

    def start(self, command):
        """Sends a command; its tag."""
        self.tags += 1
        tag = b"T%d" % self.tags
        self.send(tag + b" " + command + b"\r\n")
        return tag

    def finish(self, tag):
        """All untagged responses up to the tagged one, and that."""
        untagged = []
        while True:
            pieces = self.response()
            if pieces[0].startswith(tag + b" "):
                return untagged, pieces[0][len(tag) + 1:]
            untagged.append(pieces)

    def command(self, command):
        """Runs a command that must succeed; its untagged responses and the text of its tagged one."""
        untagged, result = self.finish(self.start(command))
        if not result.startswith(b"OK"):
            raise Unexpected(f"IMAP {command[:60]!r}: {result!r}")
        return untagged, result


def tokens(pieces):
    """A response's pieces as nested lists of octets: atoms and strings alike, NIL as None."""
    top = []
    stack = [top]
    for number, piece in enumerate(pieces):
        if number % 2:
            stack[-1].append(piece)
            continue
        text = re.sub(rb"~?\{\d+\}$", b"", piece) if number + 1 < len(pieces) else piece
        for token in re.finditer(rb'\(|\)|"((?:[^"\\]|\\.)*)"|((?:[^\s()"\[]|\[[^\]]*\])+)', text):
            if token.group() == b"(":
                stack.append([])
                stack[-2].append(stack[-1])
            elif token.group() == b")":
                stack.pop()
            elif token.group(1) is not None:
                stack[-1].append(re.sub(rb"\\(.)", rb"\1", token.group(1)))
            else:
                stack[-1].append(None if token.group().upper() == b"NIL" else token.group())
    return top


def fetched(pieces):
    """Of a FETCH response its number and items {NAME: value}; None for any other."""
    words = tokens(pieces)
    if len(words) < 4 or words[2] != b"FETCH":
        return None
    items = words[3]
    return int(words[1]), dict(zip((name.upper() for name in items[::2]), items[1::2]))
