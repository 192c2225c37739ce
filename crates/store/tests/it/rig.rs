//! What the tests share: stores in a folder that goes away, messages, and what a mailbox holds.

use base::mailbox::{Columns, MailError};
use base::{
    AccountId, Address, Domain, DomainId, Flags, Limits, MailId, MailboxId, MailboxName, ReversePath,
    Timestamp, TraceId, Uid,
};
use gate::{Delivery, Folder, Origin, Ruling, Rulings, Screened, Spooled};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::{Place, Settings, Sqlite, Store};
use wire::mime::Tree;

/// A store and the folder it lies in.
pub struct Rig {
    pub store: Arc<dyn Store>,
    pub settings: Settings,
    _place: Option<tempfile::TempDir>,
}

/// Settings for a store below `place`.
pub fn settings(place: &Path) -> Settings {
    Settings {
        directory: place.join("store"),
        key_file: place.join("key"),
        make_key: true,
        least_free: 0,
        keep_deleted: Duration::from_secs(24 * 3600),
        keep_deleted_octets: 1 << 30,
        late_after: Duration::from_secs(4 * 3600),
        stories: store::story::Keep::default(),
        index_text: true,
        limits: Limits::default(),
    }
}

/// An engine, opened. A second engine is added here.
pub fn open(settings: &Settings) -> Arc<Sqlite> {
    Sqlite::open(settings).unwrap()
}

impl Rig {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let place = tempfile::tempdir().unwrap();
        let mut settings = settings(place.path());
        change(&mut settings);
        Rig { store: open(&settings), settings, _place: Some(place) }
    }

    /// Around an open store, whose folder is someone else's.
    pub fn of(store: Arc<Sqlite>, settings: Settings) -> Self {
        Rig { store, settings, _place: None }
    }

    /// Closes the store and opens it again.
    pub fn reopen(&mut self) {
        self.store.close();
        let other = tempfile::tempdir().unwrap();
        // The old one must let go of the folder first.
        self.store = open(&self::settings(other.path()));
        self.store = open(&self.settings);
    }

    /// An account of example.test.
    pub fn account(&self, local: &str) -> AccountId {
        let directory = self.store.directory();
        let domain = Domain::new("example.test").unwrap();
        let _ = directory.add_domain(&domain);
        let address = Address::parse(&format!("{local}@example.test")).unwrap();
        directory.add_account(&address, b"credentials").unwrap()
    }

    /// The mailbox of a name.
    pub fn mailbox(&self, of: AccountId, name: &str) -> MailboxId {
        let all = self.store.mailboxes(of).unwrap();
        all.iter().find(|info| info.name.as_str() == name).and_then(|info| info.mailbox).unwrap()
    }

    pub fn inbox(&self, of: AccountId) -> MailboxId {
        self.mailbox(of, "INBOX")
    }

    pub fn create(&self, of: AccountId, name: &str) -> MailboxId {
        self.store.create(of, &MailboxName::new(name).unwrap(), None).unwrap()
    }

    /// Puts a message into a mailbox; gives its UID.
    pub fn put(&self, of: AccountId, mailbox: MailboxId, text: &str, flags: Flags) -> Uid {
        let placed =
            self.store.accept_now(vec![message(text, vec![to(of, Folder::Exact(mailbox), flags)])]).unwrap();
        match &placed[0].places[0] {
            Place::Mailbox { appended, .. } => appended.uids[0],
            other => panic!("{other:?}"),
        }
    }

    /// All UIDs with their flags.
    pub fn content(&self, of: AccountId, mailbox: MailboxId) -> BTreeMap<Uid, Flags> {
        let opened = self.store.open(of, mailbox).unwrap();
        let mut all = BTreeMap::new();
        let mut each = |row: &base::mailbox::Row<'_>| {
            all.insert(row.uid, row.flags.clone());
            ControlFlow::Continue(())
        };
        self.store.scan(of, mailbox, &opened.uids, Columns::default(), &mut each).unwrap();
        assert_eq!(all.keys().copied().collect::<Vec<_>>(), opened.uids);
        assert_eq!(opened.status.messages as usize, opened.uids.len());
        all
    }

    /// The mail behind a UID.
    pub fn mail(&self, of: AccountId, mailbox: MailboxId, uid: Uid) -> Option<MailId> {
        let mut mail = None;
        let mut each = |row: &base::mailbox::Row<'_>| {
            mail = Some(row.mail);
            ControlFlow::Break(())
        };
        self.store.scan(of, mailbox, &[uid], Columns::default(), &mut each).unwrap();
        mail
    }

    /// A message's octets.
    pub fn octets(&self, of: AccountId, mail: MailId) -> Result<Vec<u8>, MailError> {
        let message = self.store.read(of, mail)?;
        let mut octets = Vec::new();
        message.read(0..message.len(), &mut octets).unwrap();
        Ok(octets)
    }
}

/// A delivery into an account's folder.
pub fn to(account: AccountId, folder: Folder, flags: Flags) -> Delivery {
    Delivery::Mailbox { account, domain: DomainId(1), folder, flags, internal_date: None, recipient: None }
}

/// A message with this text, with these deliveries.
pub fn message(text: &str, deliveries: Vec<Delivery>) -> Screened {
    let whole =
        format!("From: a@example.net\r\nSubject: test\r\nMessage-ID: <{}@x>\r\n\r\n{text}\r\n", text.len());
    raw(whole.into_bytes(), deliveries)
}

/// A message of these octets.
pub fn raw(octets: Vec<u8>, deliveries: Vec<Delivery>) -> Screened {
    sealed(octets, deliveries, Origin::Import)
}

/// A message of these octets that came by this road.
pub fn sealed(octets: Vec<u8>, deliveries: Vec<Delivery>, origin: Origin) -> Screened {
    traced(TraceId(7), octets, deliveries, origin)
}

/// The same with a trace of its own.
pub fn traced(trace: TraceId, octets: Vec<u8>, deliveries: Vec<Delivery>, origin: Origin) -> Screened {
    let tree = Arc::new(Tree::parse(&octets, &Limits::default()));
    let mail = Spooled {
        trace,
        reverse_path: ReversePath::Null,
        octets: Arc::new(octets),
        tree,
        received: Timestamp(1_700_000_000),
        smtputf8: false,
    };
    let recipients = deliveries.into_iter().map(|d| (d, Ruling::not_applicable(origin))).collect();
    let rulings = Rulings {
        peer: Ruling::not_applicable(origin),
        sender: Ruling::not_applicable(origin),
        recipients,
        content: vec![Ruling::not_applicable(origin)],
    };
    rulings.seal(mail).unwrap_or_else(|_| panic!("the door stayed shut"))
}

/// Flags of these names.
pub fn flags(names: &[&str]) -> Flags {
    let mut flags = Flags::default();
    for name in names {
        match base::Flag::ALL.iter().find(|(_, known)| known == name) {
            Some((flag, _)) => flags.set(*flag, true),
            None => flags.set_keyword(&base::Keyword::new(name).unwrap(), true),
        }
    }
    flags
}
