use super::*;
use base::{Address, DomainId, MailId, ReversePath, TraceId};

fn entry(id: u64, mail: u64, due: i64) -> Queued {
    Queued {
        id,
        trace: TraceId(1),
        mail: MailId(mail),
        account: None,
        domain: DomainId(1),
        reverse_path: ReversePath::Null,
        recipient: Address::parse("x@example.com").unwrap(),
        size: 1,
        smtputf8: false,
        since: Timestamp(due),
        due: Timestamp(due),
        deadline: Timestamp(due),
        tries: 0,
        held: None,
        last: String::new(),
    }
}

fn board(all: usize, lane: usize) -> Board {
    Board::new(Most { all, lane })
}

fn ids(task: Task) -> Vec<u64> {
    match task {
        Task::Carry(group) => group.iter().map(|one| one.id).collect(),
        other => panic!("{other:?}"),
    }
}

const NOW: Timestamp = Timestamp(1000);

#[test]
fn a_lane_starts_when_something_is_due() {
    let mut board = board(10, 5);
    board.note("a", Timestamp(1005));
    board.note("a", Timestamp(1010));
    assert_eq!(board.next(), Some(Timestamp(1005)));
    assert!(board.start(Timestamp(1004)).is_empty());
    assert_eq!(board.start(Timestamp(1005)), ["a"]);
    assert!(board.start(Timestamp(1005)).is_empty());
    assert_eq!(board.next(), None);
}

#[test]
fn one_message_goes_to_several_recipients_at_once() {
    let mut board = board(10, 5);
    board.note("a", NOW);
    board.start(NOW);
    assert_eq!(board.task("a", 2), Task::Read(None));
    assert_eq!(board.task("a", 2), Task::Wait);
    board.read("a", vec![entry(1, 7, 1), entry(2, 7, 1), entry(3, 7, 1), entry(4, 8, 1)]);
    assert_eq!(ids(board.task("a", 2)), [1, 2]);
    assert_eq!(ids(board.task("a", 2)), [3]);
    assert_eq!(ids(board.task("a", 2)), [4]);
    assert!(board.is_taken(4));
    // While something is out, reading goes on behind it.
    assert_eq!(board.task("a", 2), Task::Read(Some((Timestamp(1), 4))));
    board.read("a", vec![]);
    board.give_back("a", [1, 2, 3, 4]);
    assert!(!board.is_taken(4));
    // When nothing is, it starts anew: an entry may have come in behind.
    assert_eq!(board.task("a", 2), Task::Read(None));
}

#[test]
fn what_is_out_is_not_given_twice() {
    let mut board = board(10, 5);
    board.note("a", NOW);
    board.start(NOW);
    board.task("a", 1);
    board.read("a", vec![entry(1, 1, 1)]);
    assert_eq!(ids(board.task("a", 1)), [1]);
    board.task("a", 1);
    board.read("a", vec![entry(1, 1, 1), entry(2, 2, 1)]);
    assert_eq!(ids(board.task("a", 1)), [2]);
}

#[test]
fn carriers_come_one_by_one_and_within_bounds() {
    let mut board = board(3, 2);
    for name in ["a", "b", "c", "d"] {
        board.note(name, NOW);
    }
    assert_eq!(board.start(NOW).len(), 3);
    assert!(board.is_full());
    assert_eq!(board.next(), Some(NOW));
    for name in ["b", "c", "d"] {
        board.left(name);
    }
    let first = board.start(NOW);
    assert_eq!(first.len(), 1);
    // More to take, but the server was not reached yet.
    board.task("a", 1);
    board.read("a", vec![entry(1, 1, 1), entry(2, 2, 1), entry(3, 3, 1)]);
    assert!(board.start(NOW).is_empty());
    board.reached("a");
    assert_eq!(board.start(NOW), ["a"]);
    // Its own bound.
    assert!(board.start(NOW).is_empty());
}

/// A destination that is down has ever longer pauses; others go on; being reached ends it.
#[test]
fn pauses_grow() {
    let mut board = board(10, 5);
    let (mut now, mut pauses) = (NOW, Vec::new());
    for _ in 0..10 {
        board.note("a", NOW);
        assert_eq!(board.start(now), ["a"]);
        let until = board.unreachable("a", "connection refused", now, 0.5);
        assert!(board.left("a"));
        board.note("a", NOW);
        assert!(board.start(Timestamp(until.0 - 1)).is_empty());
        assert_eq!(board.next(), Some(until));
        pauses.push(until.0 - now.0);
        now = until;
    }
    assert_eq!(pauses, [60, 120, 300, 600, 1200, 1800, 3600, 7200, 7200, 7200]);
    assert_eq!(board.fault("a"), Some("connection refused"));
    board.note("b", now);
    assert!(board.start(now).contains(&"b".to_owned()));
    board.reached("a");
    assert_eq!(board.fault("a"), None);
}

#[test]
fn pauses_are_spread_and_forgiven() {
    let mut board = board(10, 5);
    let pause = |board: &mut Board, spread| board.unreachable("a", "", NOW, spread).0 - NOW.0;
    assert_eq!(pause(&mut board, 0.0), 48);
    assert_eq!(pause(&mut board, 1.0), 144);
    board.note("a", NOW);
    assert!(board.start(NOW).is_empty());
    board.forgive("a");
    assert_eq!(board.start(NOW), ["a"]);
}

#[test]
fn empty_lanes_are_forgotten() {
    let mut board = board(10, 5);
    for n in 0..1000 {
        board.note(&format!("d{n}"), NOW);
    }
    for name in board.start(NOW) {
        board.left(&name);
    }
    board.tidy();
    assert_eq!(board.lanes.len(), 990);
}
