"""A Postfix of its own on loopback: takes mail for postfix.test into a Maildir, and hands mail for the server under test to it."""
import os
import pathlib
import pwd
import shutil
import subprocess

MAIN = """compatibility_level = 3.6
queue_directory = {place}/queue
data_directory = {place}/data
maillog_file = {place}/log/postfix.log
maillog_file_prefixes = {place}/log
mail_owner = postfix
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.postfix.test
mydestination =
local_recipient_maps =
alias_maps =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
virtual_mailbox_domains = postfix.test
virtual_mailbox_base = {place}/mail
virtual_mailbox_maps = static:box/
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_mailbox_limit = 0
transport_maps = inline:{{ {domain}=smtp:[127.0.0.1]:{port} }}
message_size_limit = 60000000
smtp_tls_security_level = {tls}
smtpd_tls_security_level = {tls}
smtpd_tls_cert_file = {place}/tls.pem
smtpd_tls_key_file = {place}/tls.key
smtp_destination_concurrency_limit = 20
smtputf8_enable = yes
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
minimal_backoff_time = 2s
queue_run_delay = 2s
"""

MASTER = """{own} inet n - n - 100 smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def is_there():
    """None, or why not."""
    if not shutil.which("postfix"):
        return "postfix is not installed (Debian: apt-get install postfix)"
    if os.getuid():
        return "postfix starts as root only"
    return None


class Postfix:
    """Started by making it; `stop` ends it."""

    def __init__(self, place, own_port, domain, port, tls="may"):
        self.place, self.port = pathlib.Path(place), own_port
        nobody = pwd.getpwnam("nobody")
        for name in ("etc", "queue", "data", "log", "mail/box"):
            (self.place / name).mkdir(parents=True, exist_ok=True)
        shutil.chown(self.place / "data", "postfix")
        shutil.chown(self.place / "mail", nobody.pw_uid, nobody.pw_gid)
        shutil.chown(self.place / "mail/box", nobody.pw_uid, nobody.pw_gid)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=mx.postfix.test", "-keyout", self.place / "tls.key", "-out", self.place / "tls.pem"],
                       check=True, capture_output=True)
        values = dict(place=self.place, uid=nobody.pw_uid, gid=nobody.pw_gid, domain=domain, port=port, tls=tls, own=own_port)
        (self.place / "etc/main.cf").write_text(MAIN.format(**values))
        (self.place / "etc/master.cf").write_text(MASTER.format(own=f"127.0.0.1:{own_port}"))
        self.command("start")

    def command(self, *words):
        done = subprocess.run(["postfix", "-c", self.place / "etc", *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"postfix {' '.join(words)}: {done.stderr}{done.stdout}")

    def stop(self):
        self.command("stop")

    def pid(self):
        """Of its master, whose children do the work."""
        return int((self.place / "queue/pid/master.pid").read_text())

    def received(self):
        """Every message in the Maildir, with CRLF line ends."""
        box = self.place / "mail/box"
        return [path.read_bytes().replace(b"\n", b"\r\n") for sub in ("new", "cur") for path in (box / sub).glob("*")]

    def queued(self):
        listed = subprocess.run(["postqueue", "-c", self.place / "etc", "-j"], capture_output=True, text=True, check=False)
        return len(listed.stdout.splitlines())
