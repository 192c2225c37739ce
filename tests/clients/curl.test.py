"""curl sends by smtps and smtp, lists and fetches by imaps and imap, and fetches by pop3s."""
from probe import *

need("curl")
login = write("curl.conf", f'user = "{USER}:{PASS}"\ncacert = "{CA}"\nsilent\nshow-error\nmax-time = 20\nssl-reqd\n')
mail = message("by curl", "one line\n.\n..two dots\n", sender=USER, to=USER)
mail_file = write("mail.eml", mail)


def curl(*arguments):
    return run("curl", "--config", login, *arguments, input=b"")


for scheme, port in ("smtps", PORT["SUBMISSIONS"]), ("smtp", PORT["SUBMISSION"]):
    curl("--url", f"{scheme}://{HOST}:{port}/client.example.net", "--mail-from", USER, "--mail-rcpt", USER, "--upload-file", mail_file)
with imap() as connection:
    ok(connection.select())
    same(len(ok(connection.search(None, "SUBJECT", '"by curl"'))[0].split()), 2, "messages sent")
for scheme, port in ("imaps", PORT["IMAPS"]), ("imap", PORT["IMAP"]):
    url = f"{scheme}://{HOST}:{port}"
    listed = curl(url).decode()
    expect(all(box in listed for box in STANDARD_BOXES), f"LIST gave {listed}")
    same(below_trace(curl(f"{url}/INBOX;UID=1")), mail, f"the message by {scheme}")
    same(curl(f"{url}/INBOX;UID=2;SECTION=HEADER.FIELDS%20(SUBJECT)").strip(), b"Subject: by curl", "a section")
    same(curl(f"{url}/INBOX?SUBJECT%20curl").strip(), b"* SEARCH 1 2", "SEARCH")
    curl(f"{url}/Drafts", "--upload-file", mail_file)
    same(curl(f"{url}/Drafts;MAILINDEX=1"), mail, "what was put into Drafts")
for scheme, port in ("pop3s", PORT["POP3S"]), ("pop3", PORT["POP3"]):
    listed = curl(f"{scheme}://{HOST}:{port}/").decode().split("\r\n")
    same([line.split()[0] for line in listed if line], ["1", "2"], "LIST")
    # curl takes the dots of byte-stuffing away and leaves the final CRLF as it is.
    same(below_trace(curl(f"{scheme}://{HOST}:{port}/1")), mail, f"the message by {scheme}")
done("sent by smtps and smtp; listed, searched, fetched and put by imaps and imap; fetched by pop3s and pop3, all unchanged")
