"""A Dovecot of its own on loopback: one account over Maildir++, IMAP in the clear and by TLS."""
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import time

CONFIG = """base_dir = {place}/run
state_dir = {place}/state
log_path = {place}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{place}/tls.pem
ssl_key = <{place}/tls.key
disable_plaintext_auth = no
mail_location = maildir:{place}/Maildir
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
last_valid_uid = 0
first_valid_gid = 0
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
mail_fsync = never
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={place}
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
"""


def is_there():
    """Why there can be no Dovecot, if so."""
    if not shutil.which("dovecot"):
        return "Dovecot is not installed (Debian: apt-get install dovecot-imapd)"
    if os.geteuid() != 0:
        return "Dovecot must be started as root"
    return None


class Dovecot:
    """Runs from the start to `stop`."""

    def __init__(self, place, port, tls_port):
        self.place = pathlib.Path(place)
        self.maildir = self.place / "Maildir"
        for name in ("run", "state", "Maildir"):
            (self.place / name).mkdir(parents=True, exist_ok=True)
        self.own()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", self.place / "tls.key",
                        "-out", self.place / "tls.pem"], check=True, capture_output=True)
        (self.place / "dovecot.conf").write_text(CONFIG.format(place=self.place, port=port, tls_port=tls_port))
        self.process = subprocess.Popen(["dovecot", "-F", "-c", self.place / "dovecot.conf"], stdin=subprocess.DEVNULL)
        self.port, self.tls_port = port, tls_port
        until = time.monotonic() + 20
        while not (self.place / "run" / "master.pid").exists():
            if self.process.poll() is not None or time.monotonic() > until:
                raise OSError(f"Dovecot does not start: see {self.place / 'dovecot.log'}")
            time.sleep(0.05)

    def own(self):
        """Gives all that lies in the Maildir to the user that Dovecot reads it as."""
        user = pwd.getpwnam("nobody")
        for path in (self.place, *self.place.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
