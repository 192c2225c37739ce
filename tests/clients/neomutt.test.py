"""neomutt in a terminal: opens INBOX, reads a mail, answers it by smtps, and finds the answer in Sent."""
import subprocess
import time

from probe import *

need("neomutt", "tmux")
address = USER.replace("@", "%40")
editor = write("editor", '#!/bin/sh\necho "An answer, typed." >>"$1"\n', 0o700)
# Debian's neomutt gives its SASL library no channel binding, and then fails with the SCRAM-SHA-256-PLUS that it chose itself.
config = write("muttrc", f"""set imap_user="{USER}" imap_pass="{PASS}" smtp_pass="{PASS}"
set folder="imaps://{HOST}:{PORT['IMAPS']}/" spoolfile="+INBOX" record="+Sent" postponed="+Drafts" trash="+Trash"
set smtp_url="smtps://{address}@{HOST}:{PORT['SUBMISSIONS']}/"
set smtp_authenticators="plain"
set from="{USER}" realname="Nea" use_from=yes envelope_from=yes
set ssl_ca_certificates_file="{CA}" certificate_file="{CA}"
set editor="{editor}" edit_headers=no fast_reply=yes autoedit=no
set header_cache="" message_cachedir="" wait_key=no markers=no mail_check=2 timeout=2 sleep_time=0
set include=yes delete=yes confirmappend=no move=no beep=no
""")
SOCKET = ["tmux", "-L", f"mailward-{time.time_ns()}"]


def tmux(*arguments):
    return subprocess.run([*SOCKET, *arguments], capture_output=True, text=True, timeout=10, check=False).stdout


def screen(text, *keys):
    """Types, then waits until the screen shows a text."""
    if keys:
        tmux("send-keys", "-t", "mutt", *keys)
    until = time.monotonic() + 15
    while True:
        shown = tmux("capture-pane", "-p", "-t", "mutt")
        if text in shown:
            return shown
        expect(time.monotonic() < until, f"after {keys} the screen does not show \"{text}\":\n{shown}")
        time.sleep(0.1)


deliver("A question", "Another mail")
tmux("new-session", "-d", "-s", "mutt", "-x", "100", "-y", "30", f"neomutt -n -F {config}")
try:
    screen("A question")
    screen("Another mail")
    tmux("send-keys", "-t", "mutt", "=")
    screen("Hello.", "Enter")
    # In the pager: reply; the subject and recipient are taken as they are (fast_reply), the editor ends at once.
    screen("Compose", "r")
    screen("Re: A question")
    screen("sent", "y")
    answer = wait_for("Re: A question", user=USER2, password=PASS2)
    expect(b"An answer, typed." in body_of(answer), "the answer's text")
    expect(b"> Hello." in body_of(answer), "the quoted text")
    deliver("Later mail")
    screen("A question", "q")
    screen("Later mail")
    screen("Re: A question", "c", "=Sent", "Enter")
    screen("An answer, typed.", "Enter")
    screen("Re: A question", "q")
    screen("Another mail", "c", "=INBOX", "Enter")
    # Deletes the last mail, which goes to Trash by COPY or MOVE.
    tmux("send-keys", "-t", "mutt", "*", "d", "$")
    wait_for("Later mail", "Trash")
    tmux("send-keys", "-t", "mutt", "q")
    until = time.monotonic() + 15
    while tmux("list-sessions") and time.monotonic() < until:
        time.sleep(0.1)
finally:
    tmux("kill-server")
flags = flags_of()
same(set(flags), {"A question", "Another mail"}, "INBOX")
expect({"\\Seen", "\\Answered"} <= flags["A question"], f"flags of the answered mail: {flags}")
same(set(mails("Sent")), {"Re: A question"}, "Sent")
done("read a mail, answered it, saw the answer in Sent and a new mail arrive, moved one to Trash")
