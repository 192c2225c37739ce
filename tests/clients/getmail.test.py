"""getmail6 fetches by POP3 and IMAP, over TLS, and hands to an MDA; what it has seen it does not fetch again."""
import os

from probe import *

need("getmail")
# getmail puts nothing into a Maildir as root. The MDA writes each message into a file of its own.
mda = write("mda", '#!/bin/sh\nexec cat >"$1/$(date +%s%N).$$"\n', 0o700)


def fetch(kind, port, extra=""):
    """Runs getmail with a directory of its own; the messages that its MDA has put there by then."""
    os.makedirs(f"{kind}/got", exist_ok=True)
    config = write(f"{kind}/getmailrc", f"""[retriever]
type = {kind}
server = {HOST}
port = {port}
username = {USER}
password = {PASS}
ca_certs = {CA}
timeout = 20
{extra}
[destination]
type = MDA_external
path = {mda}
arguments = ("{os.path.abspath(kind)}/got",)
allow_root_commands = true

[options]
read_all = false
delivered_to = false
received = false
verbose = 2
""")
    run("getmail", "--getmaildir", os.path.abspath(kind), "--rcfile", config)
    return [open(f"{kind}/got/{name}", "rb").read() for name in os.listdir(f"{kind}/got")]


octets = message("with an attachment", attachment=("a.bin", os.urandom(50_000)))
deliver("one", "two", octets=octets)
# getmail takes the Return-Path apart and writes one of its own.
served = sorted(body_of(o).replace(b"\r\n", b"\n") for _, _, o in mails().values())
for kind, port, extra in (("SimplePOP3SSLRetriever", PORT["POP3S"], ""),
                          ("SimpleIMAPSSLRetriever", PORT["IMAPS"], 'mailboxes = ("INBOX",)\n')):
    got = fetch(kind, port, extra)
    same(sorted(text.split(b"\n\n", 1)[1] for text in got), served, f"{kind}: bodies")
    deliver("new for " + kind)
    served = sorted(body_of(o).replace(b"\r\n", b"\n") for _, _, o in mails().values())
    same(len(fetch(kind, port, extra)), len(got) + 1, f"{kind}: messages after a second run")
same(len(mails()), 5, "messages that stay on the server")
done("fetched by POP3 and IMAP over TLS, bodies unchanged; a second run brought only what was new")
