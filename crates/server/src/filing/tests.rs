use super::*;
use base::{DomainId, ReversePath, TraceId};
use gate::{Origin, Ruling, Rulings};
use wire::mime::Tree;

const MESSAGE: &[u8] = b"From: list@example.net\r\nSubject: news\r\n\r\nhello\r\n";

/// A store with one account, and what files its mail.
struct Site {
    store: Arc<dyn Store>,
    filing: Arc<Filing>,
    account: AccountId,
    runtime: tokio::runtime::Runtime,
    _place: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let store = crate::server::new_store(place.path());
        let domain = Domain::new("example.test").unwrap();
        store.directory().add_domain(&domain).unwrap();
        let account = store.directory().add_account(&address(), b"").unwrap();
        let filing = Filing::new(store.clone(), domain);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Site { store, filing, account, runtime, _place: place }
    }

    fn script(&self, text: &str) {
        self.store.scripts().put(self.account, "main", text).unwrap();
        self.store.scripts().activate(self.account, Some("main")).unwrap();
    }

    /// Where a message goes that would go to `folder`, with flags.
    fn file(&self, folder: Folder) -> Vec<String> {
        let screened = self.runtime.block_on(self.filing.file(screened(self.account, folder)));
        screened.deliveries().iter().map(place).collect()
    }

    fn check(&self, script: &str, folder: Folder, expected: &[&str]) {
        self.script(script);
        assert_eq!(self.file(folder), expected, "{script}");
    }
}

fn address() -> Address {
    Address::parse("anna@example.test").unwrap()
}

fn screened(account: AccountId, folder: Folder) -> Screened {
    let delivery = Delivery::Mailbox {
        account,
        domain: DomainId(1),
        folder,
        flags: Flags::default(),
        internal_date: None,
        recipient: Some(address()),
    };
    let mail = Spooled {
        trace: TraceId(7),
        reverse_path: ReversePath::Null,
        octets: Arc::new(MESSAGE.to_vec()),
        tree: Arc::new(Tree::parse(MESSAGE, &base::Limits::default())),
        received: Timestamp(1_700_000_000),
        smtputf8: false,
    };
    let rulings = Rulings {
        peer: Ruling::not_applicable(Origin::Import),
        sender: Ruling::not_applicable(Origin::Import),
        recipients: vec![(delivery, Ruling::not_applicable(Origin::Import))],
        content: vec![Ruling::not_applicable(Origin::Import)],
    };
    rulings.seal(mail).unwrap_or_else(|_| panic!("the door stayed shut"))
}

fn place(delivery: &Delivery) -> String {
    let Delivery::Mailbox { folder, flags, .. } = delivery else { panic!("{delivery:?}") };
    let names: Vec<&str> = flags.names().collect();
    format!("{folder:?} {}", names.join(" ")).trim_end().to_owned()
}

#[test]
fn scripts_choose_mailboxes() {
    let site = Site::new();
    let junk = Folder::Special(SpecialUse::Junk);
    assert_eq!(site.file(Folder::Inbox), ["Inbox"], "no script");
    site.check("", Folder::Inbox, &["Inbox"]);
    site.check("discard;", Folder::Inbox, &[]);
    let flagged = "require \"imap4flags\"; addflag [\"\\\\Seen\", \"$List\"]; keep;";
    site.check(flagged, Folder::Inbox, &["Inbox \\Seen $List"]);
    site.check("require \"fileinto\"; fileinto \"Sent\";", Folder::Inbox, &["Named(\"Sent\")"]);
    // What is not there is kept; with :create it is made.
    site.check("require \"fileinto\"; fileinto \"Lists\";", Folder::Inbox, &["Inbox"]);
    let create = "require [\"fileinto\", \"mailbox\"]; fileinto :create \"Lists\"; ";
    site.check(create, Folder::Inbox, &["Named(\"Lists\")"]);
    site.check(&format!("{create} keep;"), Folder::Inbox, &["Named(\"Lists\")", "Inbox"]);
    let lists = site.store.mailboxes(site.account).unwrap();
    assert!(lists.iter().any(|one| one.name.as_str() == "Lists" && one.subscribed));
    // Both stand for INBOX: one copy.
    site.check("require \"fileinto\"; fileinto \"None\"; keep;", Folder::Inbox, &["Inbox"]);
    let special = "require [\"fileinto\", \"special-use\"]; fileinto :specialuse \"\\\\Archive\" \"Old\";";
    site.check(special, Folder::Inbox, &["Special(Archive)"]);
    // The gate's word stands, unless the script names a mailbox.
    site.check("keep;", junk.clone(), &["Special(Junk)"]);
    site.check("require \"fileinto\"; fileinto \"INBOX\";", junk.clone(), &["Inbox"]);
    site.check("require \"fileinto\"; fileinto \"Junk\"; keep;", junk, &["Named(\"Junk\")"]);
}

#[test]
fn errors_keep_mail() {
    let site = Site::new();
    let error = "require [\"fileinto\", \"ihave\"]; fileinto \"Sent\"; error \"broken\";";
    site.check(error, Folder::Inbox, &["Inbox"]);
    // A script that no longer compiles, and one that needs what delivery does not do.
    site.check("fileinto Sent", Folder::Inbox, &["Inbox"]);
    site.check("redirect \"a@example.net\";", Folder::Inbox, &["Inbox"]);
    site.check("require \"vacation\"; vacation \"away\"; discard;", Folder::Inbox, &["Inbox"]);
    let missing = "require \"include\"; include :global \"site\"; discard;";
    site.check(missing, Folder::Inbox, &["Inbox"]);
}

#[test]
fn scripts_include_others_of_their_owner() {
    let site = Site::new();
    let other = "require [\"fileinto\", \"include\"]; fileinto \"Sent\";";
    site.store.scripts().put(site.account, "other", other).unwrap();
    site.check("require \"include\"; include \"other\";", Folder::Inbox, &["Named(\"Sent\")"]);
    // A changed script is another one at once.
    site.store.scripts().put(site.account, "other", "discard;").unwrap();
    assert_eq!(site.file(Folder::Inbox), Vec::<String>::new());
}

#[test]
fn what_is_not_carried_out_is_refused() {
    fn check(script: &str) {
        assert!(compile(script).is_err(), "{script}");
    }
    for extension in NOT_HERE {
        check(&format!("require {:?};", extension.name()));
    }
    check("redirect \"a@example.net\";");
    check("if false { redirect \"a@example.net\"; }");
}
