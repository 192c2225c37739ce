"""Thunderbird, headless, steered by Marionette: an IMAP account, INBOX read, a mail sent by 465 and kept in Sent, moved, deleted.

It is not installed for this test (80 MB): the test is skipped unless Debian's thunderbird is there. docs/clients.md says what was seen.
"""
import base64
import json
import os
import re
import socket
import subprocess
import time

from probe import *

need("thunderbird")
os.mkdir("profile")
with socket.create_server(("127.0.0.1", 0)) as free:
    MARIONETTE = free.getsockname()[1]
write("profile/user.js", f"""user_pref("marionette.port", {MARIONETTE});
user_pref("mail.provider.suppress_dialog_on_startup", true);
user_pref("mail.spotlight.firstRunDone", true);
user_pref("mail.winsearch.firstRunDone", true);
user_pref("mailnews.start_page.enabled", false);
user_pref("mail.shell.checkDefaultClient", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("app.update.enabled", false);
user_pref("app.donation.eoy.version.viewed", 999);
user_pref("mail.rights.version", 1);
user_pref("security.enterprise_roots.enabled", false);
""")


class Marionette:
    """Mozilla's remote control: JSON in length-prefixed messages."""

    def __init__(self, process):
        until = time.monotonic() + 40
        while True:
            expect(process.poll() is None, "Thunderbird ended")
            expect(time.monotonic() < until, "Thunderbird is not ready after 40 s")
            try:
                self.socket = socket.create_connection(("127.0.0.1", MARIONETTE), 60)
                break
            except OSError:
                time.sleep(0.2)
        self.number = 0
        self.read()
        self.call("WebDriver:NewSession", {"capabilities": {}})
        self.call("WebDriver:SetTimeouts", {"script": 40000})
        self.call("Marionette:SetContext", {"value": "chrome"})

    def read(self):
        length = b""
        while (octet := self.socket.recv(1)) != b":":
            expect(octet, "Thunderbird closed its remote control")
            length += octet
        text = b""
        while len(text) < int(length):
            text += self.socket.recv(int(length) - len(text))
        return json.loads(text)

    def call(self, command, parameters):
        self.number += 1
        text = json.dumps([0, self.number, command, parameters])
        self.socket.sendall(f"{len(text)}:{text}".encode())
        _, _, error, result = self.read()
        expect(not error, f"{command}: {error}")
        return result

    def script(self, body, *arguments):
        """Runs the body of an asynchronous function in Thunderbird itself."""
        body = f"""const done = arguments[arguments.length - 1], args = arguments;
            const {{MailServices}} = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
            const server = () => MailServices.accounts.allServers.find(server => server.type == "imap");
            const folder = flag => server().rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags[flag]);
            const sleep = ms => new Promise(later => setTimeout(later, ms));
            const until = async check => {{ for (let i = 0; i < 150; i++) {{ if (check()) return true; await sleep(100); }} return false; }};
            (async () => {{ {body} }})().then(value => done({{value}}), error => done({{error: String(error) + " " + error.stack}}));"""
        result = self.call("WebDriver:ExecuteAsyncScript", {"script": body, "args": list(arguments), "sandbox": "system"})["value"]
        expect("error" not in result, result.get("error"))
        return result.get("value")


deliver("for Thunderbird", octets=message("with a file", attachment=("a file.bin", os.urandom(40_000))))
log = open("log", "wb")
process = subprocess.Popen(["thunderbird", "--headless", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile",
                            os.path.abspath("profile")], stdout=log, stderr=log, env=dict(E, MOZ_HEADLESS="1"))
try:
    bird = Marionette(process)
    authority = "".join(open(CA).read().split("-----")[2].split())
    seen = bird.script("""
        const [host, imapPort, smtpPort, user, password, authority] = args;
        Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB).addCertFromBase64(authority, "C,,");
        for (const scheme of ["imap", "smtp"]) {
            const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
            login.init(`${scheme}://${host}`, null, `${scheme}://${host}`, user, password, "", "");
            await Services.logins.addLoginAsync(login);
        }
        const incoming = MailServices.accounts.createIncomingServer(user, host, "imap");
        incoming.port = imapPort;
        incoming.socketType = Ci.nsMsgSocketType.SSL;
        incoming.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
        const outgoing = MailServices.outgoingServer.createServer("smtp");
        const smtp = outgoing.QueryInterface(Ci.nsISmtpServer);
        smtp.hostname = host;
        smtp.port = smtpPort;
        outgoing.socketType = Ci.nsMsgSocketType.SSL;
        outgoing.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
        outgoing.username = user;
        const identity = MailServices.accounts.createIdentity();
        identity.email = user;
        identity.fullName = "Thea";
        identity.composeHtml = false;
        identity.smtpServerKey = outgoing.key;
        const account = MailServices.accounts.createAccount();
        account.addIdentity(identity);
        account.incomingServer = incoming;
        MailServices.accounts.defaultAccount = account;
        incoming.valid = true;
        const main = () => Services.wm.getMostRecentWindow("mail:3pane")?.msgWindow;
        await until(main);
        incoming.performExpand(main());
        folder("Inbox").getNewMessages(main(), null);
        await until(() => folder("Inbox") && folder("SentMail") && folder("Trash"));
        return {version: Services.appinfo.version, folders: incoming.rootFolder.descendants.map(f => f.name),
                special: ["Inbox", "SentMail", "Drafts", "Trash", "Junk", "Archive"].filter(flag => folder(flag))};
    """, HOST, PORT["IMAPS"], PORT["SUBMISSIONS"], USER, PASS, authority)
    print(seen)
    same(sorted(seen["special"]), sorted(["Inbox", "SentMail", "Drafts", "Trash", "Junk", "Archive"]), "special folders")
    got = bird.script("""
        const inbox = folder("Inbox");
        await until(() => [...inbox.messages].length == 2);
        const found = [];
        for (const header of inbox.messages) {
            const uri = inbox.getUriForMsg(header);
            const listener = Cc["@mozilla.org/network/sync-stream-listener;1"].createInstance(Ci.nsISyncStreamListener);
            MailServices.messageServiceFromURI(uri).streamMessage(uri, listener, null, null, false, "", false);
            const input = Cc["@mozilla.org/binaryinputstream;1"].createInstance(Ci.nsIBinaryInputStream);
            input.setInputStream(listener.inputStream);
            let text = "";
            while (input.available()) text += input.readBytes(input.available());
            found.push([header.mime2DecodedSubject, btoa(text)]);
        }
        const [first] = [...inbox.messages].filter(header => header.mime2DecodedSubject == "for Thunderbird");
        inbox.markMessagesRead([first], true);
        inbox.markMessagesFlagged([first], true);
        await sleep(1000);
        return found;
    """)
    there = mails()
    for subject, text in got:
        # A copy that it keeps has fields of its own on top.
        text = re.sub(rb"(?m)^X-Mozilla-[^\n]*\n", b"", base64.b64decode(text))
        same(text.replace(b"\r\n", b"\n"), there[subject][2].replace(b"\r\n", b"\n"), f"\"{subject}\" as it is read")
    same(sorted(subject for subject, _ in got), ["for Thunderbird", "with a file"], "INBOX")
    same(there["for Thunderbird"][1], {"\\Seen", "\\Flagged"}, "flags set there")
    # A mail written and sent as a person would: a compose window and its Send.
    bird.script("""
        const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
        fields.to = args[0];
        fields.subject = "from Thunderbird: Grüße";
        fields.body = "A text of its own.\\n";
        const parameters = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
        parameters.composeFields = fields;
        parameters.format = Ci.nsIMsgCompFormat.PlainText;
        parameters.identity = MailServices.accounts.defaultAccount.defaultIdentity;
        MailServices.compose.OpenComposeWindowWithParams(null, parameters);
        const open = () => [...Services.wm.getEnumerator("msgcompose")].find(w => w.gMsgCompose && w.document.readyState == "complete");
        if (!await until(open)) throw new Error("no compose window");
        const window = open();
        await sleep(1500);
        window.goDoCommand("cmd_sendNow");
        if (!await until(() => window.closed || !open())) throw new Error("the compose window stays open");
    """, USER2)
    sent = wait_for("from Thunderbird: Grüße", user=USER2, password=PASS2)
    expect(b"A text of its own." in sent, "the text sent")
    wait_for("from Thunderbird: Grüße", "Sent")
    # New mail is told of while it waits (IDLE); one is moved to Archive, one deleted.
    deliver("a third")
    bird.script("""
        const inbox = folder("Inbox");
        if (!await until(() => [...inbox.messages].length == 3)) throw new Error("the new mail is not seen");
        const find = subject => [...inbox.messages].filter(header => header.mime2DecodedSubject == subject);
        MailServices.copy.copyMessages(inbox, find("with a file"), folder("Archive"), true, null, null, false);
        await until(() => !find("with a file").length);
        inbox.deleteMessages(find("a third"), null, false, false, null, false);
        await until(() => !find("a third").length);
        await sleep(500);
    """)
    wait_for("with a file", "Archive")
    wait_for("a third", "Trash")
    same(set(mails()), {"for Thunderbird"}, "INBOX at the end")
finally:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
done(f"Thunderbird {seen['version']}: found all folders, read two mails, sent one and kept it in Sent, was told of new mail, moved, deleted")
