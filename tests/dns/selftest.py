#!/usr/bin/env python3
"""Asks the rig's DNS server and compares with what the zone file says."""
import os
import socket
import struct
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import serve  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
A, CNAME, PTR, MX, TXT, AAAA = 1, 5, 12, 15, 16, 28


def question(name, kind):
    return struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + serve.encode_name(name) + struct.pack(">HH", kind, 1)


def ask(port, name, kind, tcp=False):
    """(response code, number of answers, truncated), or None where nothing comes."""
    message = question(name, kind)
    if tcp:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as s, s.makefile("rb") as answers:
            s.sendall(struct.pack(">H", len(message)) + message)
            reply = answers.read(struct.unpack(">H", answers.read(2))[0])
    else:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            s.sendto(message, ("127.0.0.1", port))
            try:
                reply = s.recv(4096)
            except TimeoutError:
                return None
    return reply[3] & 15, struct.unpack(">H", reply[6:8])[0], bool(reply[2] & 2)


def main():
    zones = serve.Zones([os.path.join(HERE, "outside.zone")])
    zones.records["big.example.net"] = {"TXT": [(60, serve.encode("TXT", ["x" * 200 + str(i)], "")) for i in range(20)]}
    udp, tcp = serve.bind(0, *serve.handlers(zones))
    for server in (udp, tcp):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    port, wrong = udp.server_address[1], 0
    for name, kind, over_tcp, expected in [
        ("example.net", MX, False, (0, 1, False)),
        ("outside.test", MX, True, (0, 2, False)),
        ("ALIAS.example.net", A, False, (0, 2, False)),
        ("nomail.example.net", MX, False, (0, 1, False)),
        ("nodata.example.net", A, False, (0, 0, False)),
        ("none.example.net", A, False, (3, 0, False)),
        ("example.org", MX, False, (3, 0, False)),
        ("broken.example.net", A, False, (2, 0, False)),
        ("silent.example.net", A, False, None),
        ("2.0.0.127.in-addr.arpa", PTR, False, (0, 1, False)),
        ("0.127.in-addr.arpa", PTR, False, (0, 0, False)),
        ("big.example.net", TXT, False, (0, 0, True)),
        ("big.example.net", TXT, True, (0, 20, False)),
    ]:
        got = ask(port, name, kind, over_tcp)
        if got != expected:
            wrong += 1
            print(f"{name} {kind}: {got}, expected {expected}")
    print("DNS server:", "wrong" if wrong else "right")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
