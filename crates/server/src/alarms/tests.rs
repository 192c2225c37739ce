use super::probes::*;
use super::*;
use std::time::{Duration, Instant};

fn bad(what: &str) -> Reading {
    Reading::Bad(what.into())
}

/// Each alarm is told once when it comes and once when it goes; a value that wavers tells nothing.
#[test]
fn one_alarm_each() {
    let board = Board::default();
    let told = [
        (Kind::Disk, Reading::Fine, None),
        (Kind::Disk, Reading::Between, None),
        (Kind::Disk, bad("1 MiB"), Some("raised 2: 1 MiB")),
        (Kind::Disk, bad("2 MiB"), None),
        (Kind::Memory, bad("full"), Some("raised 4: full")),
        (Kind::Disk, Reading::Between, None),
        (Kind::Disk, bad("3 MiB"), None),
        (Kind::Disk, Reading::Fine, Some("over 2: 3 MiB")),
        (Kind::Disk, Reading::Fine, None),
        (Kind::Disk, bad("4 MiB"), Some("raised 9: 4 MiB")),
    ];
    for (time, (kind, reading, expected)) in told.into_iter().enumerate() {
        let news = board.note(kind, reading, Timestamp(time as i64)).map(|news| match news {
            News::Raised(alarm) => format!("raised {}: {}", alarm.since.0, alarm.what),
            News::Over(alarm) => format!("over {}: {}", alarm.since.0, alarm.what),
        });
        assert_eq!(news.as_deref(), expected, "{time}");
    }
    let left: Vec<_> = board.alarms().into_iter().map(|alarm| (alarm.kind, alarm.what)).collect();
    assert_eq!(left, [(Kind::Disk, "4 MiB".to_owned()), (Kind::Memory, "full".to_owned())]);
}

fn level(reading: &Reading) -> char {
    match reading {
        Reading::Fine => 'f',
        Reading::Between => 'b',
        Reading::Bad(_) => '!',
    }
}

struct Told {
    own: Option<u64>,
    machine: Option<(u64, u64)>,
}

impl MemorySource for Told {
    fn own(&self) -> Option<u64> {
        self.own
    }

    fn machine(&self) -> Option<(u64, u64)> {
        self.machine
    }
}

#[test]
fn memory() {
    let check = |own: u64, free: u64, limits: (Option<u64>, Option<u64>), expected: char| {
        let source = Told { own: Some(own), machine: Some((1000, free)) };
        let reading = Memory { source, own: limits.0, free: limits.1 }.look();
        assert_eq!(level(&reading), expected, "{own} {free} {limits:?}: {reading:?}");
    };
    // Half of the machine's, and a twentieth of it.
    for (own, free, expected) in [
        (400, 300, 'f'),
        (450, 300, 'f'),
        (451, 300, 'b'),
        (501, 300, '!'),
        (100, 55, 'f'),
        (100, 54, 'b'),
        (100, 49, '!'),
    ] {
        check(own, free, (None, None), expected);
    }
    check(600, 300, (Some(700), None), 'f');
    check(100, 300, (None, Some(301)), '!');
    // What can be seen is judged, though the rest can't.
    let source = Told { own: Some(600), machine: None };
    assert_eq!(level(&Memory { source, own: Some(500), free: None }.look()), '!');
    let source = Told { own: None, machine: Some((1000, 49)) };
    assert_eq!(level(&Memory { source, own: None, free: None }.look()), '!');
    let unknown = Memory { source: Told { own: None, machine: None }, own: None, free: None }.look();
    assert_eq!(unknown, Reading::Between);
}

/// A clock that ticks as told.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<(u64, u64)>>);

impl Clocks for Fake {
    fn time(&self) -> Duration {
        Duration::from_secs(self.0.lock().0)
    }

    fn passed(&self) -> Duration {
        Duration::from_secs(self.0.lock().1)
    }
}

/// A step is an alarm for an hour, whatever the machine slept.
#[test]
fn clock() {
    let fake = Fake::default();
    *fake.0.lock() = (1_000_000, 0);
    let mut clock = Clock::new(fake.clone(), Duration::from_secs(2));
    for (time, passed, expected) in [
        (1_000_060, 60, 'f'),
        (1_000_121, 120, 'f'),
        (1_090_121, 90_120, 'f'),
        (1_086_581, 90_180, '!'),
        (1_090_120, 93_719, '!'),
        (1_090_240, 93_839, 'f'),
        (1_190_300, 93_899, '!'),
    ] {
        *fake.0.lock() = (time, passed);
        let reading = clock.look();
        assert_eq!(level(&reading), expected, "{time} {passed}: {reading:?}");
    }
}

#[test]
fn certificate() {
    let day = 86_400;
    for (left, expected) in [(Some(30), 'f'), (Some(15), 'b'), (Some(13), '!'), (Some(-1), '!'), (None, 'b')]
    {
        let end = left.map(|days: i64| Timestamp(Timestamp::now().0 + days * day));
        let mut probe =
            Certificate { end: Box::new(move || end), before: Duration::from_secs(14 * day as u64) };
        assert_eq!(level(&probe.look()), expected, "{left:?}");
    }
}

#[test]
fn backup() {
    let place = tempfile::tempdir().unwrap();
    let mut probe = Backup { folder: place.path().into(), age: Duration::from_secs(2 * 86_400) };
    assert_eq!(level(&probe.look()), '!', "no folder");
    let backups = place.path().join("backups");
    std::fs::create_dir(&backups).unwrap();
    assert_eq!(level(&probe.look()), '!', "no backup");
    for (days, expected) in [(3, '!'), (1, 'f')] {
        let made = Timestamp(Timestamp::now().0 - days * 86_400);
        std::fs::create_dir(backups.join(store::backup::name_of(made))).unwrap();
        assert_eq!(level(&probe.look()), expected, "{days} days");
    }
}

/// A store that lives gives a sign of life; one that does not is noticed.
#[test]
fn queue_and_writer() {
    let place = tempfile::tempdir().unwrap();
    let store = crate::server::new_store(place.path());
    let mut queue = Queue { store: store.clone(), most: 10, age: Duration::from_secs(60) };
    assert_eq!(queue.look(), Reading::Fine);
    let asked = Arc::new(Mutex::new(None));
    let mut writer = Writer { store: store.clone(), patience: Duration::from_secs(60), asked: asked.clone() };
    assert_eq!(writer.look(), Reading::Fine);
    let waiting = Instant::now();
    while asked.lock().is_some() {
        assert!(waiting.elapsed() < Duration::from_secs(10), "no sign of life");
        std::thread::yield_now();
    }
    store.close();
    for (ago, expected) in [(30, 'b'), (61, '!')] {
        *asked.lock() = Some(Instant::now() - Duration::from_secs(ago));
        assert_eq!(level(&writer.look()), expected, "{ago} s");
    }
}

/// The mail is one that programs can read, and that machines do not answer.
#[test]
fn letter() {
    let alarm = Alarm { kind: Kind::Disk, since: Timestamp(0), what: "No room: half ½.".into() };
    let host = base::Domain::new("mail.example.test").unwrap();
    for (news, subject, text) in [
        (News::Raised(alarm.clone()), "Alarm: disk (mail.example.test)", "No room: half ½."),
        (News::Over(alarm), "Over: disk (mail.example.test)", "It is over."),
    ] {
        let letter = letter::mail(&news, &host, &base::Address::parse("a@example.test").unwrap());
        let mut octets = Vec::new();
        letter.octets.read(0..letter.octets.len(), &mut octets).unwrap();
        let mail = read(&octets);
        assert_eq!(
            mail.0,
            ["<>", "Mailward <postmaster@mail.example.test>", "<a@example.test>", subject, "auto-generated"]
        );
        assert!(mail.1.contains(text), "{}", mail.1);
    }
}

/// Some fields, by our own reader, and the text.
fn read(octets: &[u8]) -> (Vec<String>, String) {
    let tree = wire::mime::Tree::parse(octets, &base::Limits::default());
    let cut = |range: std::ops::Range<u64>| {
        String::from_utf8(octets[range.start as usize..range.end as usize].to_vec()).unwrap()
    };
    let field = |name: &str| cut(tree.fields_named(name).next().unwrap().value()).trim().to_owned();
    let fields = ["Return-Path", "From", "To", "Subject", "Auto-Submitted"].map(field);
    (fields.into(), cut(tree.root().body()))
}
