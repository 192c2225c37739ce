"""Python's imaplib, poplib and smtplib."""
import imaplib
import os
import poplib
import smtplib
import time

from probe import *

CLEAR_REFUSED = (imaplib.IMAP4.error, poplib.error_proto, smtplib.SMTPException)

# smtplib: both ports, 8-bit and internationalised mail, a refused recipient among good ones.
with smtplib.SMTP(HOST, PORT["SUBMISSION"], timeout=20) as smtp:
    try:
        smtp.login(USER, PASS)
        expect(False, "log-in before TLS")
    except CLEAR_REFUSED:
        pass
    smtp.starttls(context=tls())
    smtp.login(USER, PASS)
    refused = smtp.sendmail(USER, [USER2, f"nobody@{E['DOMAIN']}"], message("one", "Größe\n", sender=USER, to=USER2))
    same((list(refused), refused[f"nobody@{E['DOMAIN']}"][0]), ([f"nobody@{E['DOMAIN']}"], 550), "refused recipients")
with smtplib.SMTP_SSL(HOST, PORT["SUBMISSIONS"], context=tls(), timeout=20) as smtp:
    smtp.login(USER, PASS)
    utf8 = f"From: Jörg <{USER}>\r\nTo: {USER2}\r\nSubject: Käse\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <1@x>\r\n\r\nÖl\r\n"
    smtp.sendmail(USER, [USER2], utf8.encode(), mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    try:
        smtp.sendmail(USER2, [USER2], message("forged", sender=USER2))
        expect(False, "sent as somebody else")
    except smtplib.SMTPException:
        pass
wait_for("one", user=USER2, password=PASS2)
same(below_trace(wait_for("Käse", user=USER2, password=PASS2)), utf8.encode(), "the internationalised message")

# poplib.
for connect in (lambda: poplib.POP3_SSL(HOST, PORT["POP3S"], context=tls(), timeout=20),
                lambda: poplib.POP3(HOST, PORT["POP3"], timeout=20)):
    pop = connect()
    if not isinstance(pop, poplib.POP3_SSL):
        try:
            pop.user(USER2)
            pop.pass_(PASS2)
            expect(False, "log-in before TLS")
        except CLEAR_REFUSED:
            pop.stls(context=tls())
    pop.user(USER2)
    pop.pass_(PASS2)
    count, size = pop.stat()
    numbers = range(1, count + 1)
    mails_ = [b"".join(line + b"\r\n" for line in pop.retr(n)[1]) for n in numbers]
    same(sum(map(len, mails_)), size, "octets by STAT")
    same([len(m) for m in mails_], [int(line.split()[1]) for line in pop.list()[1]], "octets by LIST")
    same(len({line.split()[1] for line in pop.uidl()[1]}), count, "unique ids")
    expect(pop.top(1, 0)[1][-1] == b"", "TOP 1 0 ends with the empty line")
    same(sorted(mails_), sorted(o for _, _, o in mails(user=USER2, password=PASS2).values()), "messages by POP3 and IMAP")
    pop.dele(1)
    pop.rset()
    pop.quit()
same(len(mails(user=USER2, password=PASS2)), 2, "messages after RSET")

# imaplib.
with imap() as connection, imap() as other:
    box = "Ordner &AOQ-"
    ok(connection.create(f'"{box}"'))
    ok(connection.subscribe(f'"{box}"'))
    picture = os.urandom(200_000)
    octets = message("with a picture", attachment=("p.bin", picture))
    ok(connection.append(f'"{box}"', "(\\Flagged $Label)", None, octets))
    ok(connection.append(f'"{box}"', None, "\" 1-Feb-2003 04:05:06 +0100\"", message("dated")))
    same(ok(connection.select(f'"{box}"')), [b"2"], "SELECT")
    head, got = ok(connection.fetch("1", "(FLAGS INTERNALDATE RFC822)"))[0]
    same(got, octets, "the message appended")
    expect(b"$Label" in head and b"\\Flagged" in head, f"flags {head}")
    # An instant; RFC 9051 does not ask for the same time zone.
    same(time.mktime(imaplib.Internaldate2tuple(ok(connection.fetch("2", "INTERNALDATE"))[0])), 1044068706.0, "the date given")
    same(ok(connection.search(None, "TEXT", '"picture"', "FLAGGED")), [b"1"], "SEARCH")
    same(ok(connection.search("UTF-8", "SUBJECT", '"dated"')), [b"2"], "SEARCH CHARSET")
    same(ok(connection.sort("REVERSE SUBJECT", "UTF-8", "ALL")), [b"1 2"], "SORT")
    expect(ok(connection.thread("REFERENCES", "UTF-8", "ALL")) == [b"(1)(2)"], "THREAD")
    ok(connection.copy("1", "Archive"))
    ok(other.select("Archive"))
    same(ok(other.fetch("1", "(BODY.PEEK[])"))[0][1], octets, "the copy")
    ok(other.store("1", "-FLAGS", "(\\Flagged)"))
    ok(connection.store("1", "+FLAGS.SILENT", "(\\Deleted)"))
    same(ok(connection.expunge()), [b"1"], "EXPUNGE")
    ok(connection.rename(f'"{box}"', '"Ordner 2"'))
    ok(connection.select('"Ordner 2"'))
    same(ok(connection.search(None, "ALL")), [b"1"], "SEARCH after RENAME")
    ok(connection.close())
    ok(connection.delete('"Ordner 2"'))
    connection.enable("UTF8=ACCEPT")
    expect(connection.select("nowhere")[0] == "NO", "SELECT of no mailbox")
with imap() as connection:  # what imaplib offers itself: CRAM-MD5 is not there, so it must not be offered
    expect("AUTH=CRAM-MD5" not in connection.capabilities, "a mechanism that does not work")
clear = imaplib.IMAP4(HOST, PORT["IMAP"], timeout=20)
try:
    clear.login(USER, PASS)
    expect(False, "log-in before TLS")
except CLEAR_REFUSED:
    clear.starttls(ssl_context=tls())
    clear.login(USER, PASS)
    clear.logout()
done("smtplib, poplib and imaplib over TLS and STARTTLS: sent, fetched, searched, sorted, copied, renamed, deleted")
