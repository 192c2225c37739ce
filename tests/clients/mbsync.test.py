"""mbsync keeps a Maildir the same as the account, both ways; a second run changes nothing."""
import os
import re

from probe import *

need("mbsync")
os.mkdir("mail")
# isync 1.4 has no SCRAM by itself.
config = write("mbsyncrc", f"""IMAPAccount rig
Host {HOST}
Port {PORT['IMAPS']}
User {USER}
Pass {PASS}
SSLType IMAPS
SystemCertificates no
CertificateFile {CA}
Timeout 20

IMAPStore far
Account rig

MaildirStore near
Path {os.getcwd()}/mail/
Inbox {os.getcwd()}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
""")


def sync():
    return run("mbsync", "-c", config, "--all")


def near(box="INBOX"):
    """{subject: (path, flags)} of a Maildir."""
    found = {}
    for folder in "cur", "new":
        path = os.path.join("mail", box, folder)
        for name in os.listdir(path) if os.path.isdir(path) else ():
            text = open(os.path.join(path, name), "rb").read()
            subject = re.search(rb"^Subject: (.*?)\r?$", text, re.M).group(1).decode()
            found[subject] = (os.path.join(path, name), name.partition(":2,")[2])
    return found


def put(subject, box="INBOX", flags=""):
    for folder in "cur", "new", "tmp":
        os.makedirs(os.path.join("mail", box, folder), exist_ok=True)
    write(f"mail/{box}/cur/{abs(hash(subject))}.host:2,{flags}", message(subject).replace(b"\r\n", b"\n"))


def files():
    return sorted((d, sorted(f for f in names if not f.startswith(".mbsyncstate"))) for d, _, names in os.walk("mail"))


def set_near_flags(subject, flags, box="INBOX"):
    path = near(box)[subject][0]
    os.rename(path, path.replace("/new/", "/cur/").partition(":2,")[0] + ":2," + flags)


def twice():
    """Synchronises, then sees that doing it again changes nothing on either side."""
    sync()
    before = files(), state()
    sync()
    same(files(), before[0], "the Maildir after a second run")
    same(state(), before[1], "the account after a second run")


deliver("one", "two", "three", "four", "five", "six")
append("draft", "Drafts", "(\\Draft \\Seen)")
twice()
same(set(near()), {"one", "two", "three", "four", "five", "six"}, "INBOX here")
same(near("Drafts")["draft"][1], "DS", "the draft's flags")
expect(STANDARD_BOXES <= set(os.listdir("mail")), f"mailboxes here: {os.listdir('mail')}")

store("one", "+FLAGS", "(\\Seen \\Flagged)")
expunge("three")
deliver("seven")
set_near_flags("two", "RS")
os.remove(near()["four"][0])
set_near_flags("five", "ST")
put("from here", flags="S")
put("filed", box="Projekt", flags="FS")
twice()
wanted = {"one": {"\\Seen", "\\Flagged"}, "two": {"\\Seen", "\\Answered"}, "six": set(), "seven": set(), "from here": {"\\Seen"}}
same(flags_of(), wanted, "the account")
same({s: set(f) for s, (_, f) in near().items()},
     {"one": set("FS"), "two": set("RS"), "six": set(), "seven": set(), "from here": set("S")}, "INBOX here")
same(flags_of("Projekt"), {"filed": {"\\Seen", "\\Flagged"}}, "a mailbox made here")

set_near_flags("one", "")
store("two", "-FLAGS", "(\\Answered)")
twice()
same((flags_of()["one"], set(near()["two"][1])), (set(), set("S")), "flags taken away")
done("new mail, flags, deletions and a mailbox went both ways; a second run changed nothing, thrice")
