//! The scripts of imaptest, played over loopback against sessions with the fake store.

use crate::driver::{Connection, config};
use session::imap::Input;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;
use testkit::imaptest::{Outcome, Script, Server, run};
use testkit::mailstore::FakeMailstore;

fn shared() -> Option<PathBuf> {
    let root = std::env::var_os("MAILWARD_SHARED").map(PathBuf::from);
    let root = root.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")));
    let tests = root.join("suites/imaptest/tests");
    tests.is_dir().then_some(tests)
}

/// A server that runs already and takes log-ins in the clear: `IMAPTEST_SERVER=ADDRESS,USER,PASSWORD`.
fn running() -> Option<Server> {
    let text = std::env::var("IMAPTEST_SERVER").ok()?;
    let mut words = text.splitn(3, ',').map(str::to_owned);
    let (address, user, password) = (words.next()?, words.next()?, words.next()?);
    Some(Server { address: address.parse().ok()?, user, password, mailbox: "imaptest".into() })
}

fn serve(listener: TcpListener, store: FakeMailstore) {
    for stream in listener.incoming() {
        let (Ok(stream), store) = (stream, store.clone()) else { return };
        std::thread::spawn(move || serve_one(stream, &store));
    }
}

fn serve_one(mut stream: TcpStream, store: &FakeMailstore) {
    let mut connection = Connection::new(config(true), store);
    let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
    let mut answer = connection.send(b"", 1);
    let mut buffer = [0; 16 * 1024];
    while stream.write_all(&answer).is_ok() && !connection.closed {
        answer = match stream.read(&mut buffer) {
            Ok(0) => connection.feed(Input::Eof),
            Ok(count) => connection.send(&buffer[..count], usize::MAX),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                connection.feed(Input::Changed)
            }
            Err(_) => return,
        };
    }
}

#[test]
fn imaptest_scripts() {
    let Some(directory) = shared() else {
        println!("skipped: no shared data");
        return;
    };
    let server = running().unwrap_or_else(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        std::thread::spawn(move || serve(listener, FakeMailstore::new()));
        Server {
            address,
            user: "alice@example.test".into(),
            password: "secret".into(),
            mailbox: "imaptest".into(),
        }
    });
    let mut wrong = Vec::new();
    let mut passed = 0;
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(directory).expect("readable").flatten().map(|e| e.path()).collect();
    names.sort();
    for path in names.into_iter().filter(|path| path.extension().is_none()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let script = Script::load(&path).expect("a script");
        match run(&script, &server) {
            Outcome::Passed => passed += 1,
            other => wrong.push(format!("{name}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{passed} passed, but\n{}", wrong.join("\n"));
}
