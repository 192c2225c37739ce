"""offlineimap3 keeps a Maildir the same as the account, both ways; a second run changes nothing."""
import os
import re

from probe import *

need("offlineimap")
config = write("offlineimaprc", f"""[general]
accounts = rig
metadata = {os.getcwd()}/metadata
ui = basic
socktimeout = 20

[Account rig]
localrepository = near
remoterepository = far

[Repository near]
type = Maildir
localfolders = {os.getcwd()}/mail

[Repository far]
type = IMAP
remotehost = {HOST}
remoteport = {PORT['IMAPS']}
ssl = yes
sslcacertfile = {CA}
remoteuser = {USER}
remotepass = {PASS.replace('%', '%%')}
""")


def sync():
    output = run("offlineimap", "-o", "-c", config)
    expect("ERROR" not in output, output)


def near(box="INBOX"):
    """{subject: (path, flags)} of a Maildir."""
    found = {}
    for folder in "cur", "new":
        path = os.path.join("mail", box, folder)
        for name in os.listdir(path) if os.path.isdir(path) else ():
            text = open(os.path.join(path, name), "rb").read()
            subject = re.search(rb"^Subject: (.*?)\r?$", text, re.M).group(1).decode()
            found[subject] = (os.path.join(path, name), set(name.partition(":2,")[2]))
    return found


def set_near_flags(subject, flags):
    path = near()[subject][0]
    os.rename(path, path.replace("/new/", "/cur/").partition(":2,")[0] + ":2," + flags)


def twice():
    sync()
    before = sorted(map(repr, os.walk("mail"))), state()
    sync()
    same(sorted(map(repr, os.walk("mail"))), before[0], "the Maildir after a second run")
    same(state(), before[1], "the account after a second run")


deliver("one", "two", "three", "four", "five")
append("draft", "Drafts", "(\\Draft \\Seen)")
twice()
same(set(near()), {"one", "two", "three", "four", "five"}, "INBOX here")
same(near("Drafts")["draft"][1], set("DS"), "the draft's flags")
expect(STANDARD_BOXES <= set(os.listdir("mail")), f"mailboxes here: {os.listdir('mail')}")

store("one", "+FLAGS", "(\\Seen \\Flagged)")
expunge("three")
deliver("six")
set_near_flags("two", "RS")
os.remove(near()["four"][0])
write("mail/INBOX/cur/1.here:2,S", message("from here").replace(b"\r\n", b"\n"))
twice()
wanted = {"one": {"\\Seen", "\\Flagged"}, "two": {"\\Seen", "\\Answered"}, "five": set(), "six": set(), "from here": {"\\Seen"}}
same(flags_of(), wanted, "the account")
same({s: f for s, (_, f) in near().items()},
     {"one": set("FS"), "two": set("RS"), "five": set(), "six": set(), "from here": set("S")}, "INBOX here")
done("new mail, flags and deletions went both ways; a second run changed nothing, twice")
