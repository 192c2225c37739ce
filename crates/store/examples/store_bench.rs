//! Measures the SQLite engine: `cargo run --release -p store --example store_bench [MESSAGES] [OCTETS] [DIRECTORY]`.
//!
//! Deliveries of 1, 10 and 100 callers, then opening, scanning and searching one mailbox of MESSAGES messages.

use base::mailbox::{Columns, Row};
use base::{AccountId, Address, Domain, DomainId, Flags, Limits, ModSeq, ReversePath, Timestamp, TraceId};
use gate::{Delivery, Folder, Origin, Ruling, Rulings, Screened, Spooled};
use std::error::Error;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use store::{Directory, Settings, Sqlite, Store, StoreError};
use wire::mime::Tree;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let number =
        |at: usize, default: usize| arguments.get(at).and_then(|a| a.parse().ok()).unwrap_or(default);
    let (messages, octets) = (number(1, 100_000), number(2, 4096));
    let place = arguments.get(3).map_or_else(|| std::env::temp_dir().join("store_bench"), PathBuf::from);
    std::fs::create_dir_all(&place)?;
    let settings = Settings {
        directory: place.join("store"),
        key_file: place.join("key"),
        make_key: true,
        least_free: 0,
        keep_deleted: Duration::from_secs(3600),
        keep_deleted_octets: 1 << 40,
        late_after: Duration::from_secs(3600),
        stories: store::story::Keep::default(),
        index_text: true,
        limits: Limits::default(),
    };
    let start = Instant::now();
    let store = Sqlite::open(&settings).map_err(|error| format!("{error:?}"))?;
    println!("open the store: {:?}", start.elapsed());
    let accounts = accounts(&store)?;
    for callers in [1, 10, 100] {
        deliver(&store, &accounts, callers, (callers * 300).clamp(1000, 20_000), octets)?;
    }
    let big = *accounts.first().ok_or("no account")?;
    let there = store.quota(big).map_err(text)?.messages as usize;
    deliver(&store, &[big], 100, messages.saturating_sub(there), octets)?;
    index(&store);
    read(&store, big)?;
    store.close();
    Ok(())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn accounts(store: &Sqlite) -> Outcome<Vec<AccountId>> {
    let directory: &dyn Directory = store;
    let known = directory.accounts().map_err(text)?;
    if !known.is_empty() {
        return Ok(known.iter().map(|account| account.id).collect());
    }
    directory.add_domain(&Domain::new("bench.test").map_err(|_| "domain")?).map_err(text)?;
    let mut all = Vec::new();
    for number in 1..=20 {
        let address = Address::parse(&format!("user{number}@bench.test")).map_err(|_| "address")?;
        all.push(directory.add_account(&address, b"x").map_err(text)?);
    }
    Ok(all)
}

/// Delivers `count` messages, `callers` at a time, and says how long one took and how much processor time.
fn deliver(
    store: &Arc<Sqlite>,
    accounts: &[AccountId],
    callers: usize,
    count: usize,
    octets: usize,
) -> Outcome<()> {
    if count == 0 {
        return Ok(());
    }
    let mail: Vec<(Arc<Vec<u8>>, Arc<Tree>)> = (0..1000)
        .map(|number| {
            let octets = message(number, octets);
            let tree = Tree::parse(&octets, &Limits::default());
            (Arc::new(octets), Arc::new(tree))
        })
        .collect();
    let next = AtomicUsize::new(0);
    let (cpu, start) = (cpu(), Instant::now());
    let mut waits: Vec<Duration> = std::thread::scope(|scope| {
        let caller = || {
            let mut waits = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let (Some((octets, tree)), Some(account)) =
                    (mail.get(number % mail.len()), accounts.get(number % accounts.len()))
                else {
                    break;
                };
                if number >= count {
                    break;
                }
                let begun = Instant::now();
                if let Err(error) = accept(store, octets.clone(), tree.clone(), *account) {
                    println!("not delivered: {error:?}");
                    break;
                }
                waits.push(begun.elapsed());
            }
            waits
        };
        let threads: Vec<_> = (0..callers).map(|_| scope.spawn(caller)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    });
    let (took, cpu) = (start.elapsed(), self::cpu() - cpu);
    waits.sort_unstable();
    let at = |percent: usize| waits.get(waits.len() * percent / 100).copied().unwrap_or_default();
    println!(
        "{callers} callers, {count} messages of {octets} octets to {} accounts: {:.0}/s, p50 {:?}, p99 {:?}, cpu {:?} each",
        accounts.len(),
        count as f64 / took.as_secs_f64(),
        at(50),
        at(99),
        cpu / count as u32
    );
    Ok(())
}

fn accept(
    store: &Sqlite,
    octets: Arc<Vec<u8>>,
    tree: Arc<Tree>,
    account: AccountId,
) -> Result<(), StoreError> {
    let delivery = Delivery::Mailbox {
        account,
        domain: DomainId(1),
        folder: Folder::Inbox,
        flags: Flags::default(),
        internal_date: None,
        recipient: None,
    };
    let mail = Spooled {
        trace: TraceId(1),
        reverse_path: ReversePath::Null,
        octets,
        tree,
        received: Timestamp::now(),
        smtputf8: false,
    };
    store.accept_now(vec![screened(mail, delivery)?]).map(drop)
}

fn screened(mail: Spooled, delivery: Delivery) -> Result<Screened, StoreError> {
    let rulings = Rulings {
        peer: Ruling::not_applicable(Origin::Internal),
        sender: Ruling::not_applicable(Origin::Internal),
        recipients: vec![(delivery, Ruling::not_applicable(Origin::Internal))],
        content: vec![Ruling::not_applicable(Origin::Internal)],
    };
    rulings.seal(mail).map_err(|_| StoreError::Failed("refused".into()))
}

fn index(store: &Sqlite) {
    let (cpu, start) = (cpu(), Instant::now());
    store.wait_indexed();
    println!("indexing the rest: {:?}, cpu {:?}", start.elapsed(), self::cpu() - cpu);
}

fn read(store: &Sqlite, of: AccountId) -> Outcome<()> {
    let all = store.mailboxes(of).map_err(text)?;
    let inbox =
        all.iter().find(|info| info.name.is_inbox()).and_then(|info| info.mailbox).ok_or("no INBOX")?;
    for _ in 0..3 {
        let start = Instant::now();
        let opened = store.open(of, inbox).map_err(text)?;
        println!("open a mailbox of {}: {:?}", opened.uids.len(), start.elapsed());
        for summary in [false, true] {
            let (mut rows, mut octets) = (0u64, 0);
            let mut each = |row: &Row<'_>| {
                rows += 1;
                octets += row.summary.map_or(0, |s| s.head.len() + s.envelope.len() + s.body_structure.len());
                ControlFlow::Continue(())
            };
            let start = Instant::now();
            store.scan(of, inbox, &opened.uids, Columns { summary }, &mut each).map_err(text)?;
            let rate = rows as f64 / start.elapsed().as_secs_f64();
            println!("scan, summaries {summary}: {rate:.0} rows/s, {octets} octets");
        }
        for needle in ["needle", "w0rd17", "ord", "needle in the haystack", "e"] {
            let start = Instant::now();
            let found = store.candidates(of, inbox, needle).map_err(text)?;
            println!("candidates for {needle:?}: {:?} in {:?}", found.map(|f| f.len()), start.elapsed());
        }
    }
    let start = Instant::now();
    let changes = store.changes(of, inbox, ModSeq(1)).map_err(text)?;
    println!("all {} changes: {:?}", changes.changed.len(), start.elapsed());
    Ok(())
}

/// A message of ordinary words, some of them rare; now and then one with the needle.
fn message(number: usize, octets: usize) -> Vec<u8> {
    let mut text = format!(
        "Received: from peer.example.net by mx.bench.test; Wed, 25 Nov 2026 03:32:43 +0000\r\nFrom: Someone \
         <someone{number}@example.net>\r\nTo: user@bench.test\r\nSubject: Message number {number} of this run\r\nDate: Wed, 25 Nov \
         2026 03:32:43 +0000\r\nMessage-ID: <{number}.{octets}@example.net>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; \
         charset=utf-8\r\n\r\n"
    );
    if number == 500 {
        text.push_str("the needle in the haystack\r\n");
    }
    let mut chance = number as u64 + 1;
    while text.len() < octets {
        for _ in 0..10 {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Small numbers are frequent, as words are.
            let (wide, word) = (chance >> 60, chance >> 33);
            text.push_str(&format!("w{}rd{} ", wide % 3, word % (20u64 << wide)));
        }
        text.push_str("\r\n");
    }
    text.into_bytes()
}

/// Processor time of this process so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
