"""msmtp sends as a sendmail, by 465 and 587, by PLAIN and SCRAM-SHA-256."""
from probe import *

need("msmtp")
PORTS = {"tls": ("off", PORT["SUBMISSIONS"]), "starttls": ("on", PORT["SUBMISSION"])}
sent = []
for way, (starttls, port) in PORTS.items():
    for mechanism in "on", "plain", "scram-sha-256":
        config = write("msmtprc", f"""account a
host {HOST}
port {port}
timeout 20
tls on
tls_starttls {starttls}
tls_trust_file {CA}
auth {mechanism}
user {USER}
password {PASS}
from {USER}
account default : a
""")
        subject = f"{way} {mechanism}"
        text = message(subject, "Grüße\n.\n", sender=USER, to=f"{USER2}, {USER}")
        # As cron and MUAs hand it over: line feeds only, recipients in the header.
        run("msmtp", "-C", config, "-t", input=text.replace(b"\r\n", b"\n"))
        for user, password in (USER, PASS), (USER2, PASS2):
            same(body_of(wait_for(subject, user=user, password=password)), body_of(text), subject)
        sent.append(subject)
wrong = write("wrong", open("msmtprc").read().replace(PASS, "wrong"))
run("msmtp", "-C", wrong, USER2, input=message("wrong"), codes=(77,))
done(f"sent by {', '.join(sent)}; a wrong password is refused")
