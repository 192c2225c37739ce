#!/usr/bin/env python3
"""A small authoritative DNS server for tests: answers from zone files, UDP and TCP, on loopback. Standard library only.

  serve.py [--port N] [--port-file FILE] ZONE...

A zone file has a line a record: NAME [TTL] TYPE VALUE; `;` starts a comment, `@` is the zone's origin ($ORIGIN NAME),
names without a final dot are relative to it, a leading `*` label matches what nothing else does. Types: A AAAA MX TXT PTR
CNAME NS SOA, and two of our own: `NAME SERVFAIL -` fails, `NAME TIMEOUT -` is never answered.
What is in no zone is refused (REFUSED), what a zone lacks does not exist (NXDOMAIN), or has no such record.
"""
import argparse
import ipaddress
import os
import shlex
import socket
import socketserver
import struct
import threading

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
EDNS_SIZE = 1232


class Zones:
    """All records: name -> {type: [(ttl, rdata)]}, and the origins that we answer for."""

    def __init__(self, paths):
        self.records, self.origins, self.names = {}, set(), set()
        for path in paths:
            self.load(path)
        for name in self.records:  # a name above a record exists, too (RFC 4592 section 2.2.2)
            labels = name.split(".")
            self.names.update(".".join(labels[i:]) for i in range(len(labels)))

    def load(self, path):
        origin, last = "", ""
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
                lexer.whitespace_split, lexer.commenters, lexer.escape = True, ";", ""
                words = list(lexer)
                if not words:
                    continue
                if words[0] == "$ORIGIN":
                    origin = words[1].strip(".").lower()
                    self.origins.add(origin)
                    continue
                name = last if line[0].isspace() else absolute(words.pop(0), origin)
                last = name
                ttl = int(words.pop(0)) if words[0].isdigit() else 60
                kind = words.pop(0).upper()
                try:
                    data = None if kind in ("SERVFAIL", "TIMEOUT") else encode(kind, words, origin)
                except (KeyError, ValueError, IndexError) as error:
                    raise SystemExit(f"{path}:{number}: {error!r}")
                self.records.setdefault(name, {}).setdefault(kind, []).append((ttl, data))

    def find(self, name):
        """The records of a name, `*` considered; None where it does not exist."""
        if name in self.records:
            return self.records[name]
        if name in self.names:
            return {}
        labels = name.split(".")
        for i in range(1, len(labels)):
            parent = ".".join(labels[i:])
            if "*." + parent in self.records:
                return self.records["*." + parent]
            if parent in self.names:
                return None
        return None

    def covers(self, name):
        return any(below(name, origin) for origin in self.origins)


def below(name, origin):
    return not origin or name == origin or name.endswith("." + origin)


def absolute(name, origin):
    if name == "@":
        return origin
    return name.rstrip(".").lower() if name.endswith(".") else f"{name}.{origin}".rstrip(".").lower()


def encode_name(name):
    out = b""
    for label in name.split(".") if name else []:
        raw = label.encode("ascii")
        out += bytes([len(raw)]) + raw
    return out + b"\0"


def encode(kind, words, origin):
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(words[0]).packed
    if kind in ("NS", "CNAME", "PTR"):
        return encode_name(absolute(words[0], origin))
    if kind == "MX":
        return struct.pack(">H", int(words[0])) + encode_name(absolute(words[1], origin))
    if kind == "TXT":
        parts = [w.encode("utf-8") for w in words]
        pieces = [p[i:i + 255] for p in parts for i in range(0, max(len(p), 1), 255)]
        return b"".join(bytes([len(p)]) + p for p in pieces)
    if kind == "SOA":
        return encode_name(absolute(words[0], origin)) + encode_name(absolute(words[1], origin)) + \
            struct.pack(">5I", *map(int, words[2:7]))
    raise KeyError(kind)


def read_question(message):
    """(name as asked, lower-case name, type, class, offset behind it)."""
    labels, at = [], 12
    while message[at]:
        if message[at] > 63:
            raise ValueError("compressed question")
        labels.append(message[at + 1:at + 1 + message[at]].decode("latin-1"))
        at += 1 + message[at]
    kind, klass = struct.unpack(">HH", message[at + 1:at + 5])
    return message[12:at + 1], ".".join(labels).lower(), kind, klass, at + 5


def lookup(zones, name, kind):
    """(response code, answers as (name, type, ttl, data)); None where there is to be no answer."""
    answers = []
    for _ in range(8):
        if not zones.covers(name):
            return (NOERROR if answers else REFUSED), answers
        found = zones.find(name)
        if found is None:
            return NXDOMAIN, answers
        if "TIMEOUT" in found:
            return None
        if "SERVFAIL" in found:
            return SERVFAIL, []
        cname = found.get("CNAME")
        if cname and kind != TYPES["CNAME"]:
            ttl, data = cname[0]
            answers.append((name, TYPES["CNAME"], ttl, data))
            name = decode_name(data)
            continue
        for label, records in found.items():
            if TYPES.get(label) == kind or (kind == 255 and label in TYPES):
                answers += [(name, TYPES[label], ttl, data) for ttl, data in records]
        return NOERROR, answers
    return SERVFAIL, []


def decode_name(data):
    labels, at = [], 0
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode("ascii"))
        at += 1 + data[at]
    return ".".join(labels)


def answer(zones, message, limit):
    """The answer to a message, cut to `limit` octets (UDP) with TC set; None where none is to be sent."""
    if len(message) < 12 or message[2] & 0x80:
        return None
    identity, flags, questions, _, _, additional = struct.unpack(">6H", message[:12])
    try:
        asked, name, kind, klass, behind = read_question(message)
    except (ValueError, IndexError, struct.error):
        return struct.pack(">6H", identity, 0x8000 | FORMERR, 0, 0, 0, 0)
    edns = additional > 0 and message[behind:behind + 3] == b"\0\0\x29"
    if limit and edns:
        limit = max(512, min(EDNS_SIZE, struct.unpack(">H", message[behind + 3:behind + 5])[0]))
    if flags & 0x7800:
        code, answers = NOTIMP, []
    elif questions != 1 or klass not in (1, 255):
        code, answers = REFUSED, []
    else:
        found = lookup(zones, name, kind)
        if found is None:
            return None
        code, answers = found
    body, count = b"", 0
    for owner, rtype, ttl, data in answers:
        # The first name is the question's, in the letters it was asked in (0x20).
        label = b"\xc0\x0c" if owner == name else encode_name(owner)
        body += label + struct.pack(">HHIH", rtype, 1, ttl, len(data)) + data
        count += 1
    authority, authorities = b"", 0
    if not answers and code in (NOERROR, NXDOMAIN):
        origin = max((o for o in zones.origins if below(name, o)), key=len)
        soa = encode("SOA", [".", ".", "1", "60", "60", "60", "5"], "")
        authority = encode_name(origin) + struct.pack(">HHIH", 6, 1, 5, len(soa)) + soa
        authorities = 1
    option = b"\0" + struct.pack(">HHIH", 41, EDNS_SIZE, 0, 0) if edns else b""
    head = 0x8480 | (flags & 0x0100) | code  # answer, authoritative, recursion "available"
    question = asked + struct.pack(">HH", kind, klass)
    whole = question + body + authority + option
    if limit and 12 + len(whole) > limit:
        whole, head, count, authorities = question + option, head | 0x0200, 0, 0
    return struct.pack(">6H", identity, head, 1, count, authorities, 1 if edns else 0) + whole


def handlers(zones):
    class Udp(socketserver.BaseRequestHandler):
        def handle(self):
            message, sock = self.request
            reply = answer(zones, message, 512)
            if reply:
                sock.sendto(reply, self.client_address)

    class Tcp(socketserver.StreamRequestHandler):
        timeout = 10

        def handle(self):
            while True:
                head = self.rfile.read(2)
                if len(head) < 2:
                    return
                reply = answer(zones, self.rfile.read(struct.unpack(">H", head)[0]), 0)
                if reply:
                    self.wfile.write(struct.pack(">H", len(reply)) + reply)

    return Udp, Tcp


class UdpServer(socketserver.UDPServer):
    allow_reuse_address = False


class TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def bind(port, udp, tcp):
    """UDP and TCP on one port of 127.0.0.1; a free one for 0."""
    for _ in range(50):
        first = UdpServer(("127.0.0.1", port), udp)
        try:
            return first, TcpServer(first.server_address, tcp)
        except OSError:
            first.server_close()
            if port:
                raise
    raise SystemExit("no free port")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (0: a free one)")
    parser.add_argument("--port-file", help="write the port there when ready")
    parser.add_argument("zones", nargs="+", help="zone files")
    arguments = parser.parse_args()
    udp, tcp = bind(arguments.port, *handlers(Zones(arguments.zones)))
    port = udp.server_address[1]
    if arguments.port_file:
        with open(arguments.port_file + ".new", "w", encoding="ascii") as out:
            out.write(f"{port}\n")
        os.replace(arguments.port_file + ".new", arguments.port_file)
    print(f"answering on 127.0.0.1:{port}", flush=True)
    threading.Thread(target=tcp.serve_forever, daemon=True).start()
    udp.serve_forever()


if __name__ == "__main__":
    main()
