// Run by imapflow.test.py. Certificates are checked: NODE_EXTRA_CA_CERTS names the rig's authority.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { ImapFlow } from 'imapflow';
import nodemailer from 'nodemailer';

const env = process.env;
const host = env.TEST_HOST;
const attachment = randomBytes(300000);

for (const [port, secure] of [[env.SUBMISSIONS_PORT, true], [env.SUBMISSION_PORT, false]]) {
    const transport = nodemailer.createTransport({
        host, port: Number(port), secure, requireTLS: true, auth: { user: env.MAIL_USER2, pass: env.MAIL_PASS2 },
    });
    await transport.verify();
    const info = await transport.sendMail({
        from: { name: 'Jürgen', address: env.MAIL_USER2 }, to: env.MAIL_USER, subject: `Grüße ${port}`, text: 'Text\n.\n',
        html: '<p>Text</p>', attachments: [{ filename: 'Bild ü.bin', content: attachment }],
    });
    assert.deepEqual(info.rejected, []);
    await assert.rejects(transport.sendMail({ from: env.MAIL_USER2, to: 'nobody@' + env.DOMAIN, subject: 'no', text: 'no' }));
    transport.close();
}

const connect = async (port, secure) => {
    const client = new ImapFlow({
        host, port: Number(port), secure, auth: { user: env.MAIL_USER, pass: env.MAIL_PASS }, logger: false, qresync: true,
    });
    await client.connect();
    return client;
};
const client = await connect(env.IMAPS_PORT, true);
const other = await connect(env.IMAP_PORT, false);
const special = (await client.list()).filter((box) => box.specialUse).map((box) => box.specialUse).sort();
assert.deepEqual(special, ['\\Archive', '\\Drafts', '\\Inbox', '\\Junk', '\\Sent', '\\Trash']);

const events = [];
for (const event of ['exists', 'flags', 'expunge']) client.on(event, () => events.push(event));
const told = async (event) => {
    for (let i = 0; i < 100 && !events.includes(event); i++) await new Promise((later) => setTimeout(later, 100));
    assert(events.includes(event), `told only of ${events}`);
};

let lock = await client.getMailboxLock('INBOX');
const found = [];
for await (const message of client.fetch('1:*', { envelope: true, bodyStructure: true, source: true, flags: true, uid: true })) {
    found.push(message);
}
assert.deepEqual(found.map((m) => m.envelope.subject).sort(), [`Grüße ${env.SUBMISSION_PORT}`, `Grüße ${env.SUBMISSIONS_PORT}`].sort());
assert.equal(found[0].envelope.from[0].name, 'Jürgen');
const part = found[0].bodyStructure.childNodes.find((node) => node.disposition === 'attachment');
assert.equal(part.dispositionParameters.filename, 'Bild ü.bin');
const download = await client.download(found[0].uid, part.part, { uid: true });
const chunks = [];
for await (const chunk of download.content) chunks.push(chunk);
assert(Buffer.concat(chunks).equals(attachment), 'the attachment is not the one sent');

// The other client changes things; this one, idle, is told.
const idle = client.idle();
const otherLock = await other.getMailboxLock('INBOX');
await other.append('INBOX', 'Subject: put\r\n\r\nput\r\n', ['\\Draft']);
await told('exists');
await other.messageFlagsAdd({ uid: String(found[0].uid) }, ['\\Flagged'], { uid: true });
await told('flags');
await other.messageDelete({ subject: 'put' });
await told('expunge');
otherLock.release();
await client.noop();
await idle;
assert.deepEqual(await client.search({ flagged: true }, { uid: true }), [found[0].uid]);
const moved = await client.messageMove({ uid: String(found[1].uid) }, 'Archive', { uid: true });
assert.equal(moved.uidMap.size, 1);
lock.release();
await client.mailboxCreate(['Projekte', 'Zürich & Bern']);
lock = await client.getMailboxLock('Projekte/Zürich & Bern');
lock.release();
await client.mailboxRename('Projekte/Zürich & Bern', 'Projekte/Genf');
await client.mailboxDelete('Projekte/Genf');
assert.equal((await client.status('Archive', { messages: true })).messages, 1);
assert(await client.getQuota() !== undefined);
await client.logout();
await other.logout();
console.log('nodemailer sent by 465 and 587; imapflow listed, fetched, downloaded, was told while idle, moved, renamed');
