"""What the tests of clients share: looking into the accounts from outside the client under test, and running it."""
import contextlib
import email.message
import email.policy
import imaplib
import os
import re
import shutil
import smtplib
import ssl
import subprocess
import sys
import time

E = os.environ
# The rig's certificate is for localhost, too; some clients check no addresses.
HOST = "localhost"
CA = E["CA"]
USER, PASS, USER2, PASS2 = E["MAIL_USER"], E["MAIL_PASS"], E["MAIL_USER2"], E["MAIL_PASS2"]
PORT = {name: int(E[name + "_PORT"]) for name in ("SMTP", "SUBMISSION", "SUBMISSIONS", "IMAP", "IMAPS", "POP3", "POP3S", "SIEVE")}
STANDARD_BOXES = {"INBOX", "Sent", "Drafts", "Junk", "Trash", "Archive"}


def done(text):
    """Ends the test well."""
    print(text)
    sys.exit(0)


def need(*programs):
    """Skips the test where a program is missing."""
    for program in programs:
        if not (shutil.which(program) or os.path.exists(program)):
            print(f"{program} is not there and could not be installed")
            sys.exit(77)


def expect(condition, what):
    """Ends the test badly, with what was seen, unless the condition holds."""
    if not condition:
        print(f"WRONG: {what}")
        sys.exit(1)


def same(seen, wanted, what):
    expect(seen == wanted, f"{what}: {short(seen)}, not {short(wanted)}")


def short(value):
    text = repr(value)
    return text if len(text) < 300 else f"{text[:300]}... ({len(text)} characters)"


def run(*command, input=None, codes=(0,), timeout=60, env=None):
    """Runs the client; its output if its exit code is one that is expected."""
    finished = subprocess.run(command, input=input, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False,
                              env=dict(E, **(env or {})), **({} if isinstance(input, bytes) else {"text": True, "errors": "replace"}))
    expect(finished.returncode in codes, f"{command[0]} ended with exit code {finished.returncode}\n{finished.stdout}")
    return finished.stdout


def write(path, text, mode=0o600):
    """A file of the client's, readable for its owner only: several insist."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as out:
        out.write(text if isinstance(text, bytes) else text.encode())
    return os.path.abspath(path)


def tls():
    return ssl.create_default_context(cafile=CA)


@contextlib.contextmanager
def imap(user=USER, password=PASS):
    connection = imaplib.IMAP4_SSL(HOST, PORT["IMAPS"], ssl_context=tls(), timeout=20)
    try:
        connection.login(user, password)
        yield connection
    finally:
        with contextlib.suppress(Exception):
            connection.logout()


def message(subject, body="Hello.\n", sender=USER2, to=USER, attachment=None):
    """A message's octets, with an attachment of (name, octets) if one is given."""
    mail = email.message.EmailMessage(policy=email.policy.SMTP)
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Date"] = email.utils.localtime()
    mail["Message-ID"] = email.utils.make_msgid(domain=E["DOMAIN"])
    mail.set_content(body)
    if attachment:
        mail.add_attachment(attachment[1], maintype="application", subtype="octet-stream", filename=attachment[0])
    return mail.as_bytes()


def deliver(*subjects, octets=None):
    """USER2 sends USER a message of each subject, or these octets."""
    with smtplib.SMTP_SSL(HOST, PORT["SUBMISSIONS"], context=tls(), timeout=20) as smtp:
        smtp.login(USER2, PASS2)
        for subject in subjects:
            smtp.sendmail(USER2, [USER], message(subject))
        if octets:
            smtp.sendmail(USER2, [USER], octets)


def mails(box="INBOX", user=USER, password=PASS):
    """Every message of a mailbox: {subject: (uid, flags, octets)}. Nothing is marked as read by looking."""
    with imap(user, password) as connection:
        ok(connection.select(f'"{box}"', readonly=True))
        lines = ok(connection.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])"))
    found = {}
    for item in lines:
        if isinstance(item, tuple):
            uid = int(re.search(rb"UID (\d+)", item[0]).group(1))
            flags = {f.decode() for f in re.search(rb"FLAGS \(([^)]*)\)", item[0]).group(1).split()} - {"\\Recent"}
            parsed = email.message_from_bytes(item[1], policy=email.policy.default)
            found[str(parsed["Subject"])] = (uid, flags, item[1])
    return found


def flags_of(box="INBOX"):
    return {subject: flags for subject, (_, flags, _) in mails(box).items()}


def boxes(user=USER, password=PASS):
    """The names of all mailboxes."""
    with imap(user, password) as connection:
        return {line.decode().split(' "/" ')[-1].strip('"') for line in ok(connection.list())}


def state():
    """All that a client can have changed: of each mailbox its UIDVALIDITY, UIDNEXT, count and last change."""
    with imap() as connection:
        names = sorted(line.decode().split(' "/" ')[-1] for line in ok(connection.list()))
        return [ok(connection.status(name, "(UIDVALIDITY UIDNEXT MESSAGES UNSEEN HIGHESTMODSEQ)")) for name in names]


def store(subject, change, flags, box="INBOX"):
    """Another client changes flags."""
    uid = mails(box)[subject][0]
    with imap() as connection:
        ok(connection.select(f'"{box}"'))
        ok(connection.uid("STORE", str(uid), change, flags))


def expunge(subject, box="INBOX"):
    """Another client deletes a message."""
    store(subject, "+FLAGS", "(\\Deleted)", box)
    with imap() as connection:
        ok(connection.select(f'"{box}"'))
        ok(connection.expunge())


def append(subject, box="INBOX", flags=""):
    """Another client puts a message."""
    with imap() as connection:
        ok(connection.append(f'"{box}"', flags, None, message(subject)))


def ok(reply):
    expect(reply[0] == "OK", f"IMAP answered {reply}")
    return [item for item in reply[1] if item is not None]


def wait_for(subject, box="INBOX", user=USER, password=PASS, seconds=20):
    """A message's octets, as soon as it is there."""
    until = time.monotonic() + seconds
    while True:
        found = mails(box, user, password)
        if subject in found:
            return found[subject][2]
        expect(time.monotonic() < until, f"no \"{subject}\" in {box} of {user}, only {list(found)}")
        time.sleep(0.2)


def attachments(octets):
    """{name: octets} of a message's attachments."""
    parsed = email.message_from_bytes(octets, policy=email.policy.default)
    return {part.get_filename(): part.get_payload(decode=True) for part in parsed.iter_attachments()}


def body_of(octets):
    """A message without its header."""
    return octets.split(b"\r\n\r\n", 1)[1]


def below_trace(octets):
    """A received message without the Return-Path and Received that the server put on top."""
    trace = re.match(rb"Return-Path:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*Received:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", octets)
    expect(trace, f"no trace fields on top: {octets[:200]!r}")
    return octets[trace.end():]
