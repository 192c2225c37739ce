"""swaks sends by 465 and 587, by PLAIN and LOGIN, text and attachments."""
import os

from probe import *

need("swaks")
picture = write("picture.bin", os.urandom(70_000))
COMMON = ["swaks", "--server", HOST, "--tls-verify", "--tls-ca-path", CA, "--from", USER, "--to", USER2, "--auth-user", USER,
          "--auth-password", PASS, "--timeout", "20", "--hide-all"]


def send(subject, *arguments):
    run(*COMMON, "--header", f"Subject: {subject}", *arguments)
    return wait_for(subject, user=USER2, password=PASS2)


for mechanism in "PLAIN", "LOGIN":
    seen = send(f"465 {mechanism}", "--tls-on-connect", "--port", str(PORT["SUBMISSIONS"]), "--auth", mechanism, "--body", "eins")
    expect(b"eins" in body_of(seen), "the text is not there")
    send(f"587 {mechanism}", "--tls", "--port", str(PORT["SUBMISSION"]), "--auth", mechanism)
seen = send("attached", "--tls", "--port", str(PORT["SUBMISSION"]), "--auth", "PLAIN", "--attach-type", "image/x-test",
            "--attach-name", "picture.bin", "--attach", "@" + picture)
same(attachments(seen).get("picture.bin"), open(picture, "rb").read(), "the attachment")
# What it must not get: log-in before TLS (swaks ends with 28 where it can't authenticate), and a foreign reverse-path.
run(*COMMON, "--port", str(PORT["SUBMISSION"]), "--auth", "PLAIN", codes=(28,))
run(*COMMON, "--tls", "--port", str(PORT["SUBMISSION"]), "--auth", "PLAIN", "--from", USER2, codes=(23, 24, 25, 26))
# From other servers, on port 25.
run("swaks", "--server", HOST, "--port", str(PORT["SMTP"]), "--tls", "--tls-verify", "--tls-ca-path", CA, "--from",
    "someone@example.net", "--to", USER2, "--header", "Subject: from outside", "--hide-all", "--timeout", "20")
wait_for("from outside", user=USER2, password=PASS2)
done("sent by 465 and 587 with PLAIN and LOGIN, an attachment unchanged, by 25 with STARTTLS; no log-in before TLS")
