"""IMAPClient, with IDLE, MOVE, SORT, THREAD, QUOTA and CONDSTORE."""
import os
import sys
import threading
import time

from probe import *

sys.path.insert(0, os.path.join(E["INSTALLED"], "python"))
try:
    import imapclient
except ImportError:
    print("IMAPClient is not there and could not be installed")
    sys.exit(77)


def connect():
    client = imapclient.IMAPClient(HOST, PORT["IMAPS"], ssl_context=tls(), timeout=20)
    client.login(USER, PASS)
    return client


client = connect()
with imapclient.IMAPClient(HOST, PORT["IMAP"], ssl=False, timeout=20) as other:
    other.starttls(tls())
    other.sasl_login("PLAIN", lambda _: f"\0{USER}\0{PASS}".encode()) if hasattr(other, "sasl_login") else other.plain_login(USER, PASS)
    same(other.select_folder("INBOX")[b"EXISTS"], 0, "INBOX by STARTTLS and AUTHENTICATE PLAIN")
expect(client.id_({"name": "test"}) is not None, "ID")
same(client.namespace().personal, (("", "/"),), "NAMESPACE")
special = {name: [f for f in flags if f in (b"\\Sent", b"\\Drafts", b"\\Junk", b"\\Trash", b"\\Archive")]
           for flags, _, name in client.list_folders()}
same({name: flags[0].decode()[1:] for name, flags in special.items() if flags},
     {name: name for name in ("Sent", "Drafts", "Junk", "Trash", "Archive")}, "special uses")

# IDLE: another client's mail, flag and deletion are seen while waiting.
client.select_folder("INBOX")
client.idle()


def told(wanted):
    until = time.monotonic() + 10
    seen = []
    while time.monotonic() < until:
        seen += client.idle_check(timeout=1)
        if any(wanted(response) for response in seen):
            return
    expect(False, f"IDLE told only {seen}")


threading.Thread(target=deliver, args=("while idle",)).start()
told(lambda r: r == (1, b"EXISTS"))
store("while idle", "+FLAGS", "(\\Flagged)")
told(lambda r: len(r) > 2 and r[1] == b"FETCH" and b"\\Flagged" in r[2][r[2].index(b"FLAGS") + 1])
expunge("while idle")
told(lambda r: r == (1, b"EXPUNGE"))
client.idle_done()

# Messages.
name = "Übersicht/Ä & Ö"
client.create_folder(name)
client.subscribe_folder(name)
expect(name in [n for _, _, n in client.list_sub_folders()], "the subscribed mailbox")
for subject in "b", "a", "c":
    client.append(name, message(subject, f"Text Nummer {subject}, größer\n"), flags=["\\Seen"])
client.multiappend(name, [message("d"), message("e")])
same(client.select_folder(name)[b"EXISTS"], 5, "messages put")
uids = client.search()
same(client.search(["SUBJECT", "a"]), [uids[1]], "search")
same(client.search(["TEXT", "größer", "NOT", "SUBJECT", "c"], charset="UTF-8"), uids[:2], "search beyond ASCII")
same(client.sort("SUBJECT"), [uids[1], uids[0], *uids[2:]], "sort")
same(len(client.thread("REFERENCES")), 5, "threads")
modseq = client.folder_status(name, ["HIGHESTMODSEQ"])[b"HIGHESTMODSEQ"]
client.add_flags(uids[0], ["$Work"])
same(list(client.fetch(uids, ["FLAGS"], [f"CHANGEDSINCE {modseq}"])), [uids[0]], "what changed since")
data = client.fetch(uids[1], ["ENVELOPE", "BODYSTRUCTURE", "RFC822.SIZE", "INTERNALDATE"])[uids[1]]
same(data[b"ENVELOPE"].subject, b"a", "the envelope's subject")
same(data[b"RFC822.SIZE"], len(client.fetch(uids[1], ["BODY.PEEK[]"])[uids[1]][b"BODY[]"]), "the size")
client.copy(uids[:2], "Archive")
client.move(uids[2], "Trash")
same((len(client.search()), set(mails("Archive")), set(mails("Trash"))), (4, {"a", "b"}, {"c"}), "after COPY and MOVE")
client.delete_messages(uids[0])
client.uid_expunge([uids[0]])
same(client.search(), [uids[1], *uids[3:]], "after UID EXPUNGE")
client.get_quota_root("INBOX")
client.unselect_folder()
client.rename_folder(name, "Neu")
client.delete_folder("Neu")
client.logout()
done("IDLE told of a mail, a flag and a deletion; names beyond ASCII, MULTIAPPEND, SORT, THREAD, CONDSTORE, MOVE, UID EXPUNGE")
