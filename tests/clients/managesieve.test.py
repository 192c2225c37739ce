"""Two Python libraries, managesieve and sievelib, over STARTTLS with the certificate checked: every command that they have."""
import os
import sys

from probe import *

sys.path.insert(0, os.path.join(E["INSTALLED"], "python"))
os.environ["SSL_CERT_FILE"] = CA
try:
    import managesieve
    import sievelib.managesieve
except ImportError as missing:
    print(f"{missing.name} is not there and could not be installed")
    sys.exit(77)

SCRIPT = "# caf\u00e9 \"quoted\" \\\r\nkeep;\r\n"
LONG = "# long\r\n" * 20_000 + "keep;\r\n"


def by_managesieve():
    client = managesieve.MANAGESIEVE(HOST, PORT["SIEVE"])
    same(client.loginmechs, [], "mechanisms before TLS")
    same(client.starttls()[0], "OK", "STARTTLS")
    same(client.login("", USER, PASS), "OK", "log-in")
    same(client.havespace("main", len(LONG)), "OK", "HAVESPACE")
    same(client.havespace("main", 1 << 30), "NO", "HAVESPACE of a gigabyte")
    same(client.putscript("main", LONG), "OK", "PUTSCRIPT")
    same(client.getscript("main"), ("OK", LONG), "GETSCRIPT")
    same(client.setactive("main"), "OK", "SETACTIVE")
    same(client.listscripts(), ("OK", [("main", True)]), "LISTSCRIPTS")
    same(client.deletescript("main"), "NO", "DELETESCRIPT of the active one")
    same(client.putscript("bad", "fileinto \"a\";\r\n"), "NO", "PUTSCRIPT of a script with a fault")
    same(client.setactive(""), "OK", "SETACTIVE of none")
    same(client.deletescript("main"), "OK", "DELETESCRIPT")
    same(client.logout(), "OK", "LOGOUT")


def by_sievelib():
    client = sievelib.managesieve.Client(HOST, PORT["SIEVE"])
    expect(client.connect(USER, PASS, starttls=True, authmech="PLAIN"), "log-in")
    extensions = client.get_sieve_capabilities()
    expect("fileinto" in extensions and "vnd.none" not in extensions, f"extensions: {extensions}")
    expect(client.putscript("main", SCRIPT), "PUTSCRIPT")
    same(client.getscript("main").replace("\r\n", "\n").strip(), SCRIPT.replace("\r\n", "\n").strip(), "GETSCRIPT")
    expect(client.checkscript("keep;\r\n"), "CHECKSCRIPT")
    expect(not client.checkscript("keep"), "CHECKSCRIPT of a script with a fault")
    expect(client.setactive("main"), "SETACTIVE")
    expect(client.renamescript("main", "other"), "RENAMESCRIPT")
    same(client.listscripts(), ("other", []), "LISTSCRIPTS")
    expect(client.setactive(""), "SETACTIVE of none")
    expect(client.deletescript("other"), "DELETESCRIPT")
    client.logout()


by_managesieve()
by_sievelib()
done("managesieve and sievelib: STARTTLS, log-in, every command on scripts, a script of 160 KB, faults refused")
