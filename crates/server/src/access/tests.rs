//! Sessions of two accounts over a store of their own.

use super::*;
use crate::gatehouse::Gatehouse;
use crate::mailbox::AccountMail;
use base::{Domain, Limits};
use session::imap::{Action, Config, Input, MailSession, Progress, Session};
use std::time::Instant;

/// What bob knows alice's mailbox by.
const WORK: &str = "Shared/alice@example.test/Work";

/// alice and bob of one domain, carol of another.
struct House {
    store: Arc<dyn Store>,
    hub: Arc<Hub>,
    gatehouse: Arc<Gatehouse>,
    work: MailboxId,
    _runtime: tokio::runtime::Runtime,
    _place: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let store = crate::server::new_store(place.path());
        let directory = store.directory();
        for domain in ["example.test", "other.test"] {
            directory.add_domain(&Domain::new(domain).unwrap()).unwrap();
        }
        for address in ["alice@example.test", "bob@example.test", "carol@other.test"] {
            directory.add_account(&Address::parse(address).unwrap(), b"").unwrap();
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let gatehouse = {
            let _entered = runtime.enter();
            Gatehouse::new(&screen::Settings { limits: Limits::default(), record_only: false })
        };
        let alice = directory.login("alice@example.test").unwrap().unwrap().id;
        let work = store.create(alice, &MailboxName::new("Work").unwrap(), None).unwrap();
        let (hub, gatehouse) = (Arc::default(), Arc::new(gatehouse));
        House { store, hub, gatehouse, work, _runtime: runtime, _place: place }
    }

    /// Gives these rights, and no others, to bob.
    fn give(&self, rights: &str) {
        self.give_to("bob@example.test", rights);
    }

    fn give_to(&self, who: &str, rights: &str) {
        let (grantee, negative) = find_grantee(&*self.store, who).unwrap().unwrap();
        let edit = RightsEdit::Replace(Rights::parse(rights).unwrap());
        self.store.sharing().set_acl(self.work, grantee, negative, edit).unwrap();
    }

    fn log_in(&self, who: &str) -> Client {
        let account = self.store.directory().login(who).unwrap().unwrap();
        let access = Access::new(account, self.store.clone(), self.hub.clone(), false);
        let config = Config {
            host: "mail.example.test".into(),
            version: None,
            limits: Limits::default(),
            starttls: false,
            clear_passwords: true,
            scram: false,
            nonce: || [0; 18],
        };
        let mail = Arc::new(AccountMail::new(access, self.gatehouse.clone()));
        let session = Session::new(Arc::new(config), None, Instant::now());
        let mut client = Client { session, mail };
        client.say("a LOGIN x y");
        client
    }

    /// A mailbox of three messages in alice's account, the first one to be expunged.
    fn with_mail() -> (Self, Client) {
        let house = House::new();
        let mut alice = house.log_in("alice@example.test");
        for flags in ["\\Deleted", "", "\\Flagged"] {
            alice.say(&format!("a APPEND Work ({flags}) {{14+}}\r\nSubject: x\r\n\r\n"));
        }
        (house, alice)
    }
}

struct Client {
    session: Session,
    mail: Arc<AccountMail>,
}

impl Client {
    fn say(&mut self, line: &str) -> String {
        self.session.feed(Instant::now(), Input::Bytes(format!("{line}\r\n").as_bytes()));
        self.pump()
    }

    fn pump(&mut self) -> String {
        let mut out = Vec::new();
        while let Some(action) = self.session.next() {
            let input = match action {
                Action::Send(octets) => {
                    out.extend(octets);
                    continue;
                }
                Action::CheckPassword { .. } => Input::LoginOk(self.mail.clone()),
                Action::Run => {
                    while self.session.run(&mut out) == Progress::More {}
                    Input::RunDone
                }
                _ => continue,
            };
            self.session.feed(Instant::now(), input);
        }
        String::from_utf8(out).unwrap()
    }

    /// Checks how the command of tag `a` ends.
    fn check(&mut self, line: &str, expected: &str) -> String {
        let said = self.say(line);
        let tagged = said.lines().find(|line| line.starts_with("a ")).unwrap_or(&said);
        assert!(tagged.starts_with(&format!("a {expected}")), "{line}\n{said}");
        said
    }

    fn flags(&mut self, number: u32) -> String {
        let said = self.say(&format!("a FETCH {number} FLAGS"));
        let flags = said.split_once("FLAGS (").and_then(|(_, rest)| rest.split_once(')'));
        flags.map(|(flags, _)| flags.replace("\\Recent", "").trim().to_owned()).unwrap_or(said)
    }
}

/// RFC 4314 §4: a right that is missing, a command, its answer. All other rights are there.
#[test]
fn every_command_needs_its_right() {
    let (house, mut alice) = House::with_mail();
    let mut bob = house.log_in("bob@example.test");
    let append = format!("APPEND {WORK} {{14+}}\r\nSubject: x\r\n\r\n");
    alice.check("a CREATE Work/Below", "OK");
    for (missing, command, expected) in [
        ("r", format!("SELECT {WORK}"), "NO [NOPERM]"),
        ("r", format!("EXAMINE {WORK}"), "NO [NOPERM]"),
        ("r", format!("STATUS {WORK} (MESSAGES)"), "NO [NOPERM]"),
        ("lr", format!("SELECT {WORK}"), "NO [NONEXISTENT]"),
        ("lr", format!("STATUS {WORK} (MESSAGES)"), "NO [NONEXISTENT]"),
        ("i", append.clone(), "NO [NOPERM]"),
        ("li", append.clone(), "NO [TRYCREATE]"),
        ("k", format!("CREATE {WORK}/New"), "NO [NOPERM]"),
        ("k", format!("CREATE {WORK}/New/Deep"), "NO [NOPERM]"),
        // The nearest mailbox above counts, also one that can't be seen.
        ("", format!("CREATE {WORK}/Below/New"), "NO [NOPERM]"),
        ("", format!("CREATE {WORK}/Below/New/Deep"), "NO [NOPERM]"),
        ("x", format!("DELETE {WORK}"), "NO [NOPERM]"),
        ("lx", format!("DELETE {WORK}"), "NO [NONEXISTENT]"),
        ("x", format!("RENAME {WORK} {WORK}2"), "NO [NOPERM]"),
        ("", format!("RENAME {WORK} Shared/alice@example.test/Other"), "NO [NOPERM]"),
        ("", format!("RENAME {WORK} Mine"), "NO [CANNOT]"),
        ("", format!("RENAME Sent {WORK}/Sent"), "NO [CANNOT]"),
        ("", format!("CREATE {WORK}/Sent (USE (\\Sent))"), "NO [USEATTR]"),
        ("a", format!("GETACL {WORK}"), "NO [NOPERM]"),
        ("a", format!("SETACL {WORK} carol@other.test lr"), "NO [NOPERM]"),
        ("a", format!("DELETEACL {WORK} carol@other.test"), "NO [NOPERM]"),
        ("a", format!("LISTRIGHTS {WORK} carol@other.test"), "NO [NOPERM]"),
        ("la", format!("GETACL {WORK}"), "NO [NONEXISTENT]"),
        ("lrikxa", format!("MYRIGHTS {WORK}"), "NO [NONEXISTENT]"),
        ("l", format!("GETMETADATA {WORK} /shared/comment"), "NO [NONEXISTENT]"),
        ("rswip", format!("GETMETADATA {WORK} /shared/comment"), "NO [NOPERM]"),
        ("w", format!("SETMETADATA {WORK} (/shared/comment \"x\")"), "NO [NOPERM]"),
        ("", format!("CREATE {WORK}"), "NO [NOPERM]"),
        ("", format!("CREATE {WORK}/Below"), "NO [ALREADYEXISTS]"),
        ("", format!("SUBSCRIBE {WORK}"), "OK"),
    ] {
        let left = Rights::ALL.without(Rights::parse(missing).unwrap());
        house.give(&left.letters().collect::<String>());
        bob.check(&format!("a {command}"), expected);
    }
    // Nothing of that happened.
    assert_eq!(
        alice.say("a STATUS Work (MESSAGES)"),
        "* STATUS \"Work\" (MESSAGES 3)\r\na OK STATUS completed\r\n"
    );

    for (missing, command, expected) in [
        ("e", "EXPUNGE".to_owned(), "NO [NOPERM]"),
        ("e", "UID EXPUNGE 1".to_owned(), "NO [NOPERM]"),
        ("e", "MOVE 2 INBOX".to_owned(), "NO [NOPERM]"),
        ("t", "MOVE 2 INBOX".to_owned(), "NO [NOPERM]"),
        ("t", "STORE 2 +FLAGS (\\Deleted)".to_owned(), "NO [NOPERM]"),
        ("s", "STORE 2 +FLAGS (\\Seen)".to_owned(), "NO [NOPERM]"),
        ("w", "STORE 2 +FLAGS (\\Flagged $Later)".to_owned(), "NO [NOPERM]"),
        ("i", format!("COPY 2 {WORK}"), "NO [NOPERM]"),
        ("i", format!("MOVE 2 {WORK}"), "NO [NOPERM]"),
        ("li", format!("COPY 2 {WORK}"), "NO [TRYCREATE]"),
        ("e", format!("REPLACE 2 {WORK} {{14+}}\r\nSubject: x\r\n\r\n"), "NO [NOPERM]"),
        ("t", "REPLACE 2 INBOX {14+}\r\nSubject: x\r\n\r\n".to_owned(), "NO [NOPERM]"),
        ("i", format!("REPLACE 2 {WORK} {{14+}}\r\nSubject: x\r\n\r\n"), "NO [NOPERM]"),
        ("", "GENURLAUTH \"imap://bob@mail.example.test/Shared/alice@example.test/Work/;UID=1;URLAUTH=anonymous\" INTERNAL".to_owned(), "NO [NOPERM]"),
        // Without write access at all the mailbox is open for reading only.
        ("swite", "STORE 2 +FLAGS (\\Seen)".to_owned(), "NO [NOPERM]"),
        ("swite", "EXPUNGE".to_owned(), "NO [NOPERM]"),
    ] {
        let left = Rights::ALL.without(Rights::parse(missing).unwrap());
        house.give(&left.letters().collect::<String>());
        bob.check(
            &format!("a SELECT {WORK}"),
            if missing == "swite" { "OK [READ-ONLY]" } else { "OK [READ-WRITE]" },
        );
        bob.check(&format!("a {command}"), expected);
        assert_eq!((bob.flags(1), bob.flags(2)), ("\\Deleted".into(), String::new()), "{missing} {command}");
    }
}

#[test]
fn with_its_right_every_command_works() {
    let (house, mut alice) = House::with_mail();
    let mut bob = house.log_in("bob@example.test");
    for (rights, command) in [
        ("r", format!("SELECT {WORK}")),
        ("r", format!("STATUS {WORK} (MESSAGES)")),
        ("i", format!("APPEND {WORK} {{14+}}\r\nSubject: x\r\n\r\n")),
        ("k", format!("CREATE {WORK}/A/B")),
        ("xk", format!("RENAME {WORK}/A {WORK}/C")),
        ("x", format!("DELETE {WORK}/C/B")),
        ("a", format!("GETACL {WORK}")),
        ("a", format!("SETACL {WORK} carol@other.test lr")),
        ("a", format!("LISTRIGHTS {WORK} anyone")),
        ("a", format!("DELETEACL {WORK} carol@other.test")),
        ("k", format!("MYRIGHTS {WORK}")),
        ("lp", format!("GETMETADATA {WORK} /shared/comment")),
        ("li", format!("SETMETADATA {WORK} (/private/comment \"mine\")")),
        ("lw", format!("SETMETADATA {WORK} (/shared/comment \"ours\")")),
    ] {
        house.give(rights);
        for mailbox in house.store.mailboxes(house.store.sharing().owner(house.work)).unwrap() {
            // What was made below took the rights of that time.
            if let Some(id) = mailbox.mailbox.filter(|_| mailbox.name.as_str().starts_with("Work/")) {
                let bob = find_grantee(&*house.store, "bob@example.test").unwrap().unwrap().0;
                let edit = RightsEdit::Replace(Rights::parse(rights).unwrap());
                house.store.sharing().set_acl(id, bob, false, edit).unwrap();
            }
        }
        bob.check(&format!("a {command}"), "OK");
        bob.say("a UNSELECT");
    }
    assert!(alice.say("a LIST \"\" Work/*").contains("\"Work/C\""));
    // Private annotations are each reader's own.
    assert!(
        alice
            .say("a GETMETADATA Work (/private/comment /shared/comment)")
            .contains("\"ours\" /private/comment NIL")
    );
}

/// RFC 4314 §4: partly allowed changes of flags, FETCH and CLOSE don't fail.
#[test]
fn what_may_not_be_changed_stays() {
    let (house, _) = House::with_mail();
    let mut bob = house.log_in("bob@example.test");
    house.give("lrs");
    let selected = bob.check(&format!("a SELECT {WORK}"), "OK [READ-WRITE]");
    assert!(selected.contains("[PERMANENTFLAGS (\\Seen)]"), "{selected}");
    bob.check("a STORE 2 +FLAGS (\\Seen \\Flagged \\Deleted a)", "OK");
    assert_eq!(bob.flags(2), "\\Seen");
    bob.check("a STORE 3 FLAGS (\\Seen \\Answered)", "OK");
    assert_eq!(bob.flags(3), "\\Flagged \\Seen");
    house.give("lrw");
    let said = bob.check("a STORE 2 FLAGS ()", "OK");
    assert!(said.contains("[PERMANENTFLAGS (\\Answered \\Flagged \\Draft "), "{said}");
    assert_eq!(bob.flags(2), "\\Seen");
    bob.check("a FETCH 1 BODY[]", "OK");
    assert_eq!(bob.flags(1), "\\Deleted");
    house.give("lrwst");
    bob.check("a CLOSE", "OK");
    assert!(bob.say(&format!("a STATUS {WORK} (MESSAGES)")).contains("MESSAGES 3"));
    // RFC 4314 §4: COPY and APPEND keep what flags they may.
    house.give("lrwi");
    bob.check(&format!("a APPEND {WORK} (\\Seen \\Deleted \\Draft) {{14+}}\r\nSubject: x\r\n\r\n"), "OK");
    bob.check(&format!("a SELECT {WORK}"), "OK");
    assert_eq!(bob.flags(4), "\\Draft");
    bob.check(&format!("a COPY 1,3 {WORK}"), "OK [COPYUID");
    assert_eq!((bob.flags(5), bob.flags(6)), (String::new(), "\\Flagged".into()));
}

#[test]
fn a_right_that_is_taken_away_is_gone_at_once() {
    let (house, mut alice) = House::with_mail();
    let mut bob = house.log_in("bob@example.test");
    for command in [
        "NOOP",
        "FETCH 1:* BODY[]",
        "SEARCH ALL",
        "SEARCH BODY x",
        "SORT (DATE) UTF-8 ALL",
        "THREAD REFERENCES UTF-8 ALL",
        "CHECK",
    ] {
        house.give("lrs");
        bob.check(&format!("a SELECT {WORK}"), "OK");
        alice.check("a DELETEACL Work bob@example.test", "OK");
        let said = bob.say(&format!("a {command}"));
        assert!(!said.contains("Subject") && said.contains("* BYE"), "{command}: {said}");
        bob = house.log_in("bob@example.test");
    }
    // One who idles hears of it, too.
    house.give("lrs");
    bob.check(&format!("a SELECT {WORK}"), "OK");
    bob.say("a IDLE");
    house.give("ls");
    bob.session.feed(Instant::now(), Input::Changed);
    assert!(bob.pump().contains("* BYE you may no longer read"));
}

#[test]
fn names_show_what_may_be_seen() {
    let (house, mut alice) = House::with_mail();
    let mut bob = house.log_in("bob@example.test");
    let mut carol = house.log_in("carol@other.test");
    assert!(bob.say("a NAMESPACE").contains("((\"Shared/\" \"/\"))"));
    assert!(!bob.say("a LIST \"\" *").contains("Shared"));
    // Who has an account is not told by what can't be done.
    let unknown = bob.say("a CREATE Shared/nobody@example.test/X");
    assert_eq!(unknown, bob.say("a CREATE Shared/alice@example.test/X"));
    assert_eq!(
        bob.say("a SELECT Shared/nobody@example.test/INBOX"),
        bob.say("a SELECT Shared/alice@example.test/INBOX")
    );
    house.give("lr");
    let listed = bob.say("a LIST \"\" Shared*");
    assert_eq!(listed.matches("* LIST").count(), 3, "{listed}");
    assert!(listed.contains(&format!("(\\HasNoChildren) \"/\" \"{WORK}\"")), "{listed}");
    assert!(listed.contains("\\Noselect \\HasChildren) \"/\" \"Shared/alice@example.test\""), "{listed}");
    house.give("r");
    assert!(!bob.say("a LIST \"\" Shared*").contains("Work"));
    house.give("lr");
    // Subscriptions are the reader's.
    bob.check(&format!("a SUBSCRIBE {WORK}"), "OK");
    assert!(bob.say("a LSUB \"\" Shared/*").contains(WORK));
    assert!(!alice.say("a LSUB \"\" *").contains("Work"));
    let listed = bob.say("a LIST \"\" Shared/*/Work RETURN (MYRIGHTS SUBSCRIBED)");
    assert!(
        listed.contains("\\Subscribed") && listed.contains(&format!("* MYRIGHTS \"{WORK}\" \"lr\"")),
        "{listed}"
    );
    // Use and limits are the owner's affair.
    assert_eq!(
        bob.say(&format!("a GETQUOTAROOT {WORK}")),
        format!("* QUOTAROOT \"{WORK}\"\r\na OK GETQUOTAROOT completed\r\n")
    );
    // Anyone is everybody of the domain; a user needs the administrator's leave for it.
    alice.check("a SETACL Work anyone lr", "NO [NOPERM]");
    alice.check("a SETACL Work nobody@example.test lr", "NO [CANNOT]");
    alice.check("a SETACL Work alice@example.test lr", "NO [CANNOT]");
    house.give("");
    house.give_to("anyone", "lrs");
    bob.check(&format!("a SELECT {WORK}"), "OK");
    carol.check(&format!("a SELECT {WORK}"), "NO [NONEXISTENT]");
    house.give_to("carol@other.test", "lr");
    carol.check(&format!("a SELECT {WORK}"), "OK");
    // Negative rights take from what others give.
    house.give_to("-bob@example.test", "s");
    assert!(bob.say(&format!("a MYRIGHTS {WORK}")).contains("\"lr\""));
    let acl = alice.say("a GETACL Work");
    assert!(acl.contains("\"alice@example.test\" \"lrswipkxteacd\" \"anyone\" \"lrs\""), "{acl}");
    assert!(acl.contains("\"-bob@example.test\" \"s\""), "{acl}");
    assert!(
        alice
            .say("a LISTRIGHTS Work bob@example.test")
            .contains("bob@example.test\" \"\" l r s w i p k x t e a c d")
    );
    assert!(alice.say("a LISTRIGHTS Work alice@example.test").contains("\"lrswipkxteacd\"\r\n"));
}

/// Between accounts, of one domain and of two: mail comes in anew, and its owner's quota counts it.
#[test]
fn mail_goes_from_account_to_account() {
    for other in ["bob@example.test", "carol@other.test"] {
        let (house, mut alice) = House::with_mail();
        house.give_to(other, "lrswite");
        let mut reader = house.log_in(other);
        reader.check(&format!("a SELECT {WORK}"), "OK");
        let many = "x".repeat(20_000);
        reader.check(&format!("a APPEND {WORK} {{{}+}}\r\nSubject: {many}", 9 + many.len()), "OK");
        let said = reader.check("a COPY 2:4 INBOX", "OK [COPYUID");
        assert!(said.contains(" 2:4 1:3]"), "{said}");
        let said = reader.check("a MOVE 3:4 Sent", "OK");
        assert!(said.contains(" 3:4 1:2]") && said.contains("EXPUNGE"), "{said}");
        assert!(alice.say("a STATUS Work (MESSAGES)").contains("MESSAGES 2"));
        reader.check("a SELECT Sent", "OK");
        assert_eq!(reader.flags(1), "\\Flagged");
        assert!(reader.say("a FETCH 2 BODY[HEADER.FIELDS (SUBJECT)]").contains(&many));
        // Back again: alice's quota is asked, not the reader's.
        let of = |who: &str| house.store.directory().login(who).unwrap().unwrap().id;
        house.store.directory().set_quota(of(other), Some(1), None).unwrap();
        reader.check(&format!("a COPY 1 {WORK}"), "OK [COPYUID");
        reader.check("a APPEND INBOX {14+}\r\nSubject: x\r\n\r\n", "NO [OVERQUOTA]");
        house.store.directory().set_quota(of("alice@example.test"), Some(1), None).unwrap();
        reader.check(&format!("a COPY 1 {WORK}"), "NO [OVERQUOTA]");
        reader.check(&format!("a MOVE 1 {WORK}"), "NO [OVERQUOTA]");
        assert!(reader.say("a STATUS Sent (MESSAGES)").contains("MESSAGES 2"));
        assert!(alice.say("a STATUS Work (MESSAGES)").contains("MESSAGES 3"));
    }
}

/// Whatever way a guest removes mail, its owner can have it back.
#[test]
fn what_a_guest_takes_away_can_be_had_back() {
    let new = "{14+}\r\nSubject: y\r\n\r\n";
    for command in [
        format!("REPLACE 1 {WORK} {new}"),
        format!("REPLACE 1 INBOX {new}"),
        "MOVE 1 INBOX".to_owned(),
        "EXPUNGE".to_owned(),
    ] {
        let (house, mut alice) = House::with_mail();
        house.give("lrite");
        let mut bob = house.log_in("bob@example.test");
        bob.check(&format!("a SELECT {WORK}"), "OK");
        bob.check(&format!("a {command}"), "OK");
        let id = house.store.directory().login("alice@example.test").unwrap().unwrap().id;
        let lost = house.store.recoverable(id, Timestamp(0), None).unwrap();
        let lost: Vec<_> = lost.iter().map(|one| (one.mail, one.mailbox.as_str())).collect();
        let [(mail, "Work")] = lost[..] else { panic!("{command}: {lost:?}") };
        assert_eq!(house.store.recover(id, &[mail]).unwrap(), 1, "{command}");
        alice.check("a SELECT Work", "OK");
        assert!(alice.say("a UID SEARCH SUBJECT x").contains("* SEARCH 2 3 "), "{command}");
    }
}

/// More than one piece, and a failure within: nothing stays of it.
#[test]
fn a_copy_that_fails_half_way_leaves_nothing() {
    let (house, mut alice) = House::with_mail();
    house.give("lrswite");
    for _ in 0..150 {
        alice.say("a APPEND Work {14+}\r\nSubject: x\r\n\r\n");
    }
    let mut bob = house.log_in("bob@example.test");
    bob.check(&format!("a SELECT {WORK}"), "OK");
    let id = house.store.directory().login("bob@example.test").unwrap().unwrap().id;
    house.store.directory().set_quota(id, None, Some(120)).unwrap();
    bob.check("a COPY 1:* INBOX", "NO [OVERQUOTA]");
    assert!(bob.say("a STATUS INBOX (MESSAGES)").contains("MESSAGES 0"));
    // Nor does it push out what can be undeleted.
    assert!(house.store.recoverable(id, Timestamp(0), None).unwrap().is_empty());
    house.store.directory().set_quota(id, None, None).unwrap();
    let said = bob.check("a COPY 1:* INBOX", "OK [COPYUID");
    assert!(said.contains(" 1:153 "), "{said}");
}

#[test]
fn an_address_to_send_from_is_given_and_taken() {
    let house = House::new();
    let (store, bob) = (&*house.store, house.store.directory().login("bob@example.test").unwrap().unwrap());
    let may = |text: &str| store.sharing().may_send_as(bob.id, &Address::parse(text).unwrap()).unwrap();
    assert!(commands::send_as(store, &bob, "info@example.org", true).is_err());
    assert!(commands::send_as(store, &bob, "Info@example.test", false).is_err());
    commands::send_as(store, &bob, "Info@example.test", true).unwrap();
    for (address, expected) in [
        ("info@EXAMPLE.test", true),
        ("info+x@example.test", false),
        ("info@other.test", false),
        ("alice@example.test", false),
    ] {
        assert_eq!(may(address), expected, "{address}");
    }
    commands::send_as(store, &bob, "info@example.test", false).unwrap();
    assert!(!may("info@example.test"));
    // It goes with the account whose address it is.
    commands::send_as(store, &bob, "Alice@example.test", true).unwrap();
    assert!(may("alice@example.test"));
    let alice = store.directory().login("alice@example.test").unwrap().unwrap();
    store.directory().remove_account(alice.id).unwrap();
    assert!(!may("alice@example.test"));
}

/// What `mailward account share` answers.
#[test]
fn mailboxes_are_shared_by_command() {
    use crate::control::Response;
    let house = House::new();
    let store = &*house.store;
    let alice = store.directory().login("alice@example.test").unwrap().unwrap();
    let share = |mailbox: &str, with: &str, rights: Option<&str>| match commands::share(
        store, &alice, mailbox, with, rights,
    ) {
        Ok(Response::Done(text)) | Err(text) => text,
        Ok(other) => panic!("{other:?}"),
    };
    for (mailbox, with, rights, answer) in [
        ("Work", "bob", Some("read"), "bob@example.test: lrs in Work of alice@example.test"),
        ("Work", "BOB@example.test", Some("+wd"), "bob@example.test: lrswte in Work of alice@example.test"),
        ("Work", "-bob", Some("s"), "-bob@example.test: s in Work of alice@example.test"),
        ("INBOX", "anyone", Some("l"), "anyone: l in INBOX of alice@example.test"),
        ("INBOX", "anyone", None, "anyone is not named in INBOX of alice@example.test any more"),
        ("Work", "alice", Some("read"), "alice owns Work and has every right there"),
        ("None", "bob", Some("read"), "alice@example.test has no mailbox None"),
    ] {
        assert_eq!(share(mailbox, with, rights), answer);
    }
    assert!(share("Work", "nobody@example.test", Some("read")).contains("no such account"));
    assert!(share("Work", "bob", Some("rq")).contains("rights are read, write, all"));
    let Ok(Response::Shares(rows)) = commands::shares(store, &alice) else { panic!("no list") };
    let rows: Vec<String> =
        rows.iter().map(|r| format!("{} {} {}", r.mailbox, r.identifier, r.rights)).collect();
    assert_eq!(rows, ["Work bob@example.test lrswte", "Work -bob@example.test s"]);
}
