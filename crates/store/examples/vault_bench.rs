//! What the vault costs: `cargo run --release -p store --example vault_bench -- FOLDER`. FOLDER must lie on the disk
//! that is to be measured; what is made in it is removed.

use base::{DomainId, Limits, MailId};
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};
use store::Settings;
use store::vault::{BlobId, Body, Vault};
use wire::mime::Tree;

const MAIL: MailId = MailId(1);

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let folder = std::env::args().nth(1).ok_or("which folder?")?;
    let folder = Path::new(&folder).join(format!("vault-bench-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let outcome = measure(&folder);
    std::fs::remove_dir_all(&folder)?;
    outcome
}

fn measure(folder: &Path) -> Outcome<()> {
    let vault = open(folder)?;
    let started = Instant::now();
    open(folder)?;
    println!("open the vault again                 {:>10.1} us", started.elapsed().as_secs_f64() * 1e6);
    rows(&vault)?;
    messages(&vault)?;
    where_skeletons_lie(folder, &vault)?;
    large(&vault)
}

fn open(folder: &Path) -> Outcome<Vault> {
    let settings = Settings {
        directory: folder.join("store"),
        key_file: folder.join("store.key"),
        make_key: true,
        least_free: 0,
        keep_deleted: Duration::ZERO,
        keep_deleted_octets: 0,
        late_after: Duration::ZERO,
        stories: store::story::Keep::default(),
        index_text: false,
        limits: Limits::default(),
    };
    Vault::open(&settings).map_err(failed)
}

fn failed(error: store::StoreError) -> Box<dyn std::error::Error> {
    format!("{error:?}").into()
}

/// Prints the best of five rounds: what the work costs where nothing else disturbs it.
fn time(what: &str, count: u32, mut run: impl FnMut() -> Outcome<()>) -> Outcome<()> {
    let mut best = f64::MAX;
    for _ in 0..5 {
        let started = Instant::now();
        for _ in 0..count {
            run()?;
        }
        best = best.min(started.elapsed().as_secs_f64() / f64::from(count));
    }
    println!("{what:<36} {:>10.1} us", best * 1e6);
    Ok(())
}

fn rows(vault: &Vault) -> Outcome<()> {
    let plain = text(1000);
    let sealed = vault.seal_row(b"bench", &plain).map_err(failed)?;
    time("seal a row of 1,000 octets", 5000, || {
        black_box(vault.seal_row(b"bench", &plain).map_err(failed)?);
        Ok(())
    })?;
    let mut out = Vec::new();
    time("open a row of 1,000 octets", 5000, || {
        out.clear();
        vault.open_row(b"bench", &sealed, &mut out).map_err(failed)
    })
}

fn messages(vault: &Vault) -> Outcome<()> {
    for (what, message, count) in [
        ("4 KiB", text(4096), 2000),
        ("100 KiB of text", text(100 * 1024), 200),
        ("64 KiB attachment", attached(64 * 1024), 30),
        ("8 KiB attachment", attached(8 * 1024), 30),
    ] {
        let tree = Tree::parse(&message, &Limits::default());
        time(&format!("seal, {what}"), count, || {
            let sealed = vault.seal_message(&message, &tree, DomainId(1), &|_| None).map_err(failed)?;
            black_box(sealed);
            Ok(())
        })?;
        let sealed = vault.seal_message(&message, &tree, DomainId(1), &|_| None).map_err(failed)?;
        let layout = vault.seal_layout(MAIL, &sealed).map_err(failed)?;
        let known: Option<BlobId> = sealed.attachments.first().map(|attachment| attachment.blob);
        if known.is_some() {
            time(&format!("seal, {what} that is known"), count, || {
                black_box(vault.seal_message(&message, &tree, DomainId(1), &|_| known).map_err(failed)?);
                Ok(())
            })?;
        }
        time(&format!("open, {what}"), count * 5, || {
            black_box(vault.open_message(MAIL, &sealed.body, &layout).map_err(failed)?);
            Ok(())
        })?;
        let mut out = Vec::new();
        time(&format!("open and read, {what}"), count, || {
            out.clear();
            let open = vault.open_message(MAIL, &sealed.body, &layout).map_err(failed)?;
            open.read(0..open.len(), &mut out)?;
            Ok(())
        })?;
    }
    Ok(())
}

/// A file for each skeleton against rows of a database, of which ten share a commit, as ten sessions' do.
fn where_skeletons_lie(folder: &Path, vault: &Vault) -> Outcome<()> {
    let database = rusqlite::Connection::open(folder.join("rows.db"))?;
    database.execute_batch(
        "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
         CREATE TABLE body (id INTEGER PRIMARY KEY, octets BLOB)",
    )?;
    for size in [16, 64, 100, 128, 256, 512] {
        let octets = noise(size * 1024);
        for batch in [1u32, 10] {
            time(&format!("{size} KiB into rows, {batch} a commit"), 10, || {
                database.execute_batch("BEGIN IMMEDIATE")?;
                for _ in 0..batch {
                    database.execute("INSERT INTO body (octets) VALUES (?1)", [&octets])?;
                }
                database.execute_batch("COMMIT")?;
                Ok(())
            })?;
        }
        let message = attached_octets(&octets);
        let tree = Tree::parse(&message, &Limits::default());
        time(&format!("{size} KiB into a file"), 10, || {
            black_box(vault.seal_message(&message, &tree, DomainId(1), &|_| None).map_err(failed)?);
            Ok(())
        })?;
        ten_at_once(vault, size, &message, &tree)?;
    }
    Ok(())
}

fn ten_at_once(vault: &Vault, size: usize, message: &Vec<u8>, tree: &Tree) -> Outcome<()> {
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                for _ in 0..20 {
                    black_box(vault.seal_message(message, tree, DomainId(1), &|_| None).is_ok());
                }
            });
        }
    });
    let each = started.elapsed().as_secs_f64() * 1e6 / 200.0;
    println!("{:<36} {each:>10.1} us", format!("{size} KiB into a file, 10 at once"));
    Ok(())
}

fn large(vault: &Vault) -> Outcome<()> {
    let message = attached_octets(&noise(37 * 1024 * 1024));
    let tree = Tree::parse(&message, &Limits::default());
    let mut sealed = None;
    time("seal, 50 MiB", 1, || {
        sealed = Some(vault.seal_message(&message, &tree, DomainId(1), &|_| None).map_err(failed)?);
        Ok(())
    })?;
    let Some(sealed) = sealed else { return Ok(()) };
    let layout = vault.seal_layout(MAIL, &sealed).map_err(failed)?;
    let mut out = Vec::new();
    let mut read = |what: &str, from: u64, to: u64| {
        time(what, 1, || {
            out.clear();
            let open = vault.open_message(MAIL, &sealed.body, &layout).map_err(failed)?;
            Ok(open.read(from..to, &mut out)?)
        })
    };
    read("open and read, 50 MiB", 0, message.len() as u64)?;
    read("4 KiB in the middle of 50 MiB", 25 << 20, (25 << 20) + 4096)?;
    let inline = matches!(sealed.body, Body::Inline(_));
    println!("its skeleton lies in the row: {inline}; its layout: {} octets", sealed.layout.len());
    Ok(())
}

/// Words, as a mail has them.
fn text(octets: usize) -> Vec<u8> {
    let mut message =
        b"From: Alice <alice@example.test>\r\nTo: bob@example.test\r\nSubject: a subject\r\n\r\n".to_vec();
    let words = ["report", "meeting", "Tuesday", "please", "find", "the", "numbers", "of", "last", "quarter"];
    for (number, octet) in noise(octets).into_iter().enumerate() {
        message.extend_from_slice(words[usize::from(octet) % words.len()].as_bytes());
        message.extend_from_slice(if number % 12 == 11 { b"\r\n" } else { b" " });
        if message.len() >= octets {
            break;
        }
    }
    message
}

/// Octets that can't be packed.
fn noise(octets: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..octets).map(|_| next()).collect()
}

fn attached(octets: usize) -> Vec<u8> {
    attached_octets(&noise(octets))
}

fn attached_octets(octets: &[u8]) -> Vec<u8> {
    use base64::Engine;
    let mut message = b"From: alice@example.test\r\nMIME-Version: 1.0\r\n\
        Content-Type: application/pdf; name=report.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        .to_vec();
    for line in base64::engine::general_purpose::STANDARD.encode(octets).as_bytes().chunks(76) {
        message.extend_from_slice(line);
        message.extend_from_slice(b"\r\n");
    }
    message
}
