// Run by javamail.test.py. Certificates and host names are checked.
import com.sun.mail.imap.IMAPFolder;
import com.sun.mail.imap.IMAPStore;
import com.sun.mail.pop3.POP3Folder;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.Properties;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.activation.DataHandler;
import javax.mail.*;
import javax.mail.event.MessageCountAdapter;
import javax.mail.event.MessageCountEvent;
import javax.mail.internet.*;
import javax.mail.search.*;
import javax.mail.util.ByteArrayDataSource;

public class JavaMail {
    static final String HOST = env("TEST_HOST");
    static final byte[] ATTACHED = new byte[250_000];

    static String env(String name) {
        return System.getenv(name);
    }

    static void expect(boolean holds, String what) {
        if (!holds) {
            System.out.println("WRONG: " + what);
            System.exit(1);
        }
    }

    static Session session(String protocol, String port, boolean startTls, String... more) {
        Properties p = new Properties();
        p.put("mail." + protocol + ".host", HOST);
        p.put("mail." + protocol + ".port", env(port));
        p.put("mail." + protocol + ".timeout", "20000");
        p.put("mail." + protocol + ".ssl.checkserveridentity", "true");
        if (startTls) {
            p.put("mail." + protocol + ".starttls.enable", "true");
            p.put("mail." + protocol + ".starttls.required", "true");
        }
        for (int i = 0; i < more.length; i += 2) p.put("mail." + protocol + "." + more[i], more[i + 1]);
        return Session.getInstance(p);
    }

    static MimeMessage message(Session session, String subject) throws Exception {
        MimeMessage m = new MimeMessage(session);
        m.setFrom(new InternetAddress(env("MAIL_USER2"), "Zoë", "UTF-8"));
        m.setRecipients(Message.RecipientType.TO, env("MAIL_USER"));
        m.setSubject(subject, "UTF-8");
        MimeBodyPart text = new MimeBodyPart();
        text.setText("Grüße zusammen\r\n.\r\n", "UTF-8");
        MimeBodyPart file = new MimeBodyPart();
        file.setDataHandler(new DataHandler(new ByteArrayDataSource(ATTACHED, "application/octet-stream")));
        file.setFileName("datei.bin");
        m.setContent(new MimeMultipart(text, file));
        m.saveChanges();
        return m;
    }

    static void send(String protocol, String port, boolean startTls, String mechanism) throws Exception {
        Session s = session(protocol, port, startTls, "auth", "true", "auth.mechanisms", mechanism);
        try (Transport t = s.getTransport(protocol)) {
            t.connect(env("MAIL_USER2"), env("MAIL_PASS2"));
            MimeMessage m = message(s, "Größe " + port + " " + mechanism);
            t.sendMessage(m, m.getAllRecipients());
            try {
                t.sendMessage(m, InternetAddress.parse("nobody@" + env("DOMAIN")));
                expect(false, "an unknown recipient was taken");
            } catch (SendFailedException refused) {
                // As it should be.
            }
        }
    }

    static byte[] attached(Message m) throws Exception {
        return ((Multipart) m.getContent()).getBodyPart(1).getInputStream().readAllBytes();
    }

    static IMAPStore imap(String protocol, String port, boolean startTls, String... more) throws Exception {
        IMAPStore store = (IMAPStore) session(protocol, port, startTls, more).getStore(protocol);
        store.connect(env("MAIL_USER"), env("MAIL_PASS"));
        return store;
    }

    static void folders(IMAPStore store, IMAPStore other) throws Exception {
        IMAPFolder inbox = (IMAPFolder) store.getFolder("INBOX");
        inbox.open(Folder.READ_WRITE);
        Message[] all = inbox.getMessages();
        expect(all.length == 4, "4 messages sent, " + all.length + " there");
        FetchProfile profile = new FetchProfile();
        profile.add(FetchProfile.Item.ENVELOPE);
        profile.add(FetchProfile.Item.FLAGS);
        profile.add(FetchProfile.Item.CONTENT_INFO);
        profile.add(UIDFolder.FetchProfileItem.UID);
        inbox.fetch(all, profile);
        for (Message m : all) {
            expect(m.getSubject().startsWith("Größe"), "subject " + m.getSubject());
            expect(((InternetAddress) m.getFrom()[0]).getPersonal().equals("Zoë"), "from " + m.getFrom()[0]);
            expect(Arrays.equals(attached(m), ATTACHED), "attachment differs");
        }
        expect(inbox.search(new SubjectTerm("PLAIN")).length == 2, "search by subject");
        // ASCII: under UTF8=ACCEPT JavaMail 1.6.5 sends other letters as Latin-1, which is no UTF-8 (RFC 6855 section 3).
        expect(inbox.search(new AndTerm(new BodyTerm("zusammen"), new FlagTerm(new Flags(Flags.Flag.SEEN), true))).length == 4,
            "search by text");

        Folder projects = store.getFolder("Projekte/Äpfel");
        expect(projects.create(Folder.HOLDS_FOLDERS | Folder.HOLDS_MESSAGES), "create");
        inbox.copyMessages(new Message[] {all[0]}, projects);
        inbox.moveUIDMessages(new Message[] {all[1]}, projects);
        projects.open(Folder.READ_WRITE);
        expect(projects.getMessageCount() == 2, "2 messages copied and moved, " + projects.getMessageCount());
        all[0].setFlag(Flags.Flag.DELETED, true);
        inbox.expunge();
        expect(inbox.getMessageCount() == 2, "2 messages stay, " + inbox.getMessageCount());
        projects.appendMessages(new Message[] {message(session("imaps", "IMAPS_PORT", false), "abgelegt")});
        ByteArrayOutputStream raw = new ByteArrayOutputStream();
        projects.getMessage(3).writeTo(raw);
        expect(new MimeMessage(null, new ByteArrayInputStream(raw.toByteArray())).getSubject().equals("abgelegt"), "what was put");
        projects.close(true);
        expect(projects.renameTo(store.getFolder("Birnen")), "rename");
        expect(store.getFolder("Birnen").delete(true), "delete");

        // IDLE: another connection's message is told.
        CountDownLatch told = new CountDownLatch(1);
        inbox.addMessageCountListener(new MessageCountAdapter() {
            @Override
            public void messagesAdded(MessageCountEvent event) {
                told.countDown();
            }
        });
        Thread idle = new Thread(() -> {
            try {
                inbox.idle(true);
            } catch (MessagingException closed) {
                // Its connection is closed at the end.
            }
        });
        idle.setDaemon(true);
        idle.start();
        other.getFolder("INBOX").appendMessages(new Message[] {message(session("imap", "IMAP_PORT", true), "neu")});
        expect(told.await(15, TimeUnit.SECONDS), "IDLE told nothing");
        idle.join(5000);
        inbox.close(false);
    }

    static void pop3(String protocol, String port, boolean startTls) throws Exception {
        Store store = session(protocol, port, startTls).getStore(protocol);
        store.connect(env("MAIL_USER"), env("MAIL_PASS"));
        POP3Folder inbox = (POP3Folder) store.getFolder("INBOX");
        inbox.open(Folder.READ_WRITE);
        int count = inbox.getMessageCount();
        for (Message m : inbox.getMessages()) {
            expect(inbox.getUID(m) != null, "no unique id");
            expect(Arrays.equals(attached(m), ATTACHED), "attachment differs by " + protocol);
        }
        inbox.getMessage(1).setFlag(Flags.Flag.DELETED, true);
        inbox.close(true);
        inbox.open(Folder.READ_ONLY);
        expect(inbox.getMessageCount() == count - 1, "one deleted: " + inbox.getMessageCount() + " of " + count);
        inbox.close(false);
        store.close();
    }

    public static void main(String[] arguments) throws Exception {
        new Random(1).nextBytes(ATTACHED);
        for (String mechanism : new String[] {"PLAIN", "LOGIN"}) {
            send("smtps", "SUBMISSIONS_PORT", false, mechanism);
            send("smtp", "SUBMISSION_PORT", true, mechanism);
        }
        IMAPStore store = imap("imaps", "IMAPS_PORT", false);
        IMAPStore other = imap("imap", "IMAP_PORT", true, "auth.mechanisms", "PLAIN");
        folders(store, other);
        store.close();
        other.close();
        pop3("pop3s", "POP3S_PORT", false);
        pop3("pop3", "POP3_PORT", true);
        System.out.println("sent by 465 and 587; folders, search, copy, move, IDLE by IMAP; fetched and deleted by POP3");
    }
}
