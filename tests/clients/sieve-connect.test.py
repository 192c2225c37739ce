"""sieve-connect puts, lists, activates, checks, fetches and deletes scripts; the mail is filed as the active one says."""
from probe import *

need("sieve-connect")
SCRIPT = 'require ["fileinto", "imap4flags"];\r\nif header :contains "subject" "sieve" { setflag "\\\\Seen"; fileinto "Archive"; }\r\n'
script = write("rules.sieve", SCRIPT)
faulty = write("faulty.sieve", 'keep;\r\nfileinto "Archive";\r\n')


def connect(*arguments, mechanism="PLAIN", codes=(0,)):
    return run("sieve-connect", "--server", HOST, "--port", str(PORT["SIEVE"]), "--user", USER, "--tlscafile", CA, "--authmech",
               mechanism, "--passwordfd", "0", *arguments, input=PASS + "\n", codes=codes)


connect("--localsieve", script, "--remotesieve", "main", "--upload")
listed = connect("--list")
expect('"main"' in listed and "ACTIVE" not in listed, f"listed after the upload: {listed}")
connect("--remotesieve", "main", "--activate")
expect('"main" ACTIVE' in connect("--list"), "main is not active")
got = connect("--remotesieve", "main", "--localsieve", "got.sieve", "--download")
with open("got.sieve", newline="", encoding="utf-8") as text:
    same(text.read(), SCRIPT, "the script that came back")
refused = connect("--localsieve", faulty, "--remotesieve", "faulty", "--upload", codes=(1, 2, 255))
expect("line 2" in refused, f"no line is told of a fault: {refused}")
connect("--localsieve", script, "--checkscript")
deliver("to sieve")
same([flags for _, flags, _ in mails("Archive").values()], [{"\\Seen"}], "what the script filed")
same(mails(), {}, "INBOX")
connect("--deactivate")
connect("--remotesieve", "main", "--delete")
expect('"main"' not in connect("--list"), "main is still there")
done("put, listed, activated, fetched, checked, deleted; a fault told with its line; mail filed as the script says")
