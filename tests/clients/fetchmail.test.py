"""fetchmail fetches by POP3 and IMAP, over TLS and STARTTLS, hands to an MDA, and deletes what it fetched."""
import os

from probe import *

need("fetchmail")
# The MDA writes each message into a file of its own.
mda = write("mda", '#!/bin/sh\nexec cat >"$1/$(date +%s%N).$$"\n', 0o700)
NOTHING_NEW = 1


def fetch(protocol, port, tls_option, keep, codes=(0,)):
    """Runs fetchmail; the messages that its MDA got in this run."""
    os.makedirs("got", exist_ok=True)
    for name in os.listdir("got"):
        os.remove(os.path.join("got", name))
    config = write("fetchmailrc", f"""poll {HOST} service {port} protocol {protocol} timeout 20
  user "{USER}" password "{PASS}" {tls_option} sslcertck sslcertfile "{CA}" {keep}
  mda "{mda} {os.path.abspath('got')}"
""")
    run("fetchmail", "--fetchmailrc", config, "--nosyslog", "--nodetach", "--idfile", os.path.abspath("ids"), "--invisible", "-v",
        codes=codes, env={"FETCHMAILHOME": os.getcwd()})
    return [open(os.path.join("got", name), "rb").read() for name in os.listdir("got")]


def bodies(texts):
    return sorted(text.replace(b"\r\n", b"\n").split(b"\n\n", 1)[1] for text in texts)


ways = [("POP3", PORT["POP3S"], "ssl"), ("IMAP", PORT["IMAPS"], "ssl"), ("POP3", PORT["POP3"], "sslproto TLS1.2+"),
        ("IMAP", PORT["IMAP"], "sslproto TLS1.2+")]
for protocol, port, option in ways:
    name = f"{protocol} {option}"
    deliver(f"one by {name}", octets=message(f"two by {name}", "..\n.\nfrom\nFrom here\n", attachment=("a.bin", os.urandom(9000))))
    served = [octets for _, _, octets in mails().values()]
    got = fetch(protocol, port, option, "keep fetchall")
    same(bodies(got), bodies(served), f"{name}: bodies")
    same(len(mails()), 2, f"{name}: messages kept")
    same(bodies(fetch(protocol, port, option, "nokeep fetchall")), bodies(served), f"{name}: bodies the second time")
    same(mails(), {}, f"{name}: messages that stay")
    same(fetch(protocol, port, option, "nokeep", codes=(NOTHING_NEW,)), [], f"{name}: nothing new")
done("fetched by " + ", ".join(f"{p} ({o})" for p, _, o in ways) + ", kept and deleted, bodies unchanged")
