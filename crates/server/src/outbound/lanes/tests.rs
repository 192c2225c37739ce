use super::*;
use base::{Address, DomainId, MailId, ReversePath, TraceId};
use wire::smtp::Terms;

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
        tried: None,
        terms: Terms::default(),
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
    board.read("a", vec![entry(1, 7, 1), entry(2, 7, 1), entry(3, 7, 1), entry(4, 8, 1)], 4);
    assert_eq!(ids(board.task("a", 2)), [1, 2]);
    assert_eq!(ids(board.task("a", 2)), [3]);
    assert_eq!(ids(board.task("a", 2)), [4]);
    assert!(!board.claim("a", 4));
    // A page was full: reading goes on behind it.
    assert_eq!(board.task("a", 2), Task::Read(Some((Timestamp(1), 4))));
    assert!(!board.read("a", vec![], 4));
    // That was the end. It starts anew, although something is out: an entry may have come in behind.
    assert_eq!(board.task("a", 2), Task::Read(None));
    assert!(!board.read("a", vec![entry(1, 7, 1), entry(2, 7, 1)], 4));
    board.give_back("a", [1, 2, 3, 4]);
    assert!(board.claim("a", 4));
}

/// A page shows the queue as it was when reading began.
#[test]
fn what_was_settled_while_a_page_was_read_is_not_sent_again() {
    let mut board = board(10, 5);
    board.note("a", NOW);
    board.start(NOW);
    board.task("a", 1);
    board.read("a", vec![entry(1, 1, 1)], 9);
    assert_eq!(ids(board.task("a", 1)), [1]);
    assert_eq!(board.task("a", 1), Task::Read(None));
    board.give_back("a", [1]);
    assert!(!board.read("a", vec![entry(1, 1, 1)], 9));
    // Where it is to be tried again, the next page has it.
    board.task("a", 1);
    assert!(board.read("a", vec![entry(1, 1, 1)], 9));
}

/// Entries that are given up, held or dropped after they were read.
#[test]
fn what_was_read_can_be_taken_away() {
    let mut board = board(10, 5);
    board.note("a", NOW);
    board.start(NOW);
    board.task("a", 1);
    board.read("a", vec![entry(1, 1, 1), entry(2, 2, 1), entry(3, 3, 1)], 9);
    assert!(board.claim("a", 1) && !board.claim("a", 1));
    assert_eq!(ids(board.task("a", 1)), [2]);
    board.withdraw("a");
    assert_eq!(board.task("a", 1), Task::Read(None));
    board.withdraw("a");
    assert!(board.read("a", vec![entry(3, 3, 1)], 9), "it is read once more");
    assert_eq!(board.task("a", 1), Task::Read(None));
}

/// Carriers whose connections all break when a server restarts.
#[test]
fn what_several_meet_together_is_one_failure() {
    let mut board = board(10, 5);
    let pause = |board: &mut Board, now: i64| board.unreachable("a", "", Timestamp(now), 0.5).0 - now;
    assert_eq!([1000, 1000, 1001].map(|now| pause(&mut board, now)), [60, 60, 59]);
    assert_eq!(pause(&mut board, 1060), 120);
}

#[test]
fn destinations_that_are_down_leave_room_for_others() {
    let mut board = board(4, 5);
    for name in ["a", "b", "c", "d", "e"] {
        board.unreachable(name, "", Timestamp(0), 0.5);
        board.note(name, Timestamp(1));
    }
    board.note("new", NOW);
    assert_eq!(board.start(NOW), ["new", "a", "b"]);
    board.note("newer", NOW);
    assert_eq!(board.start(NOW), ["newer"]);
}

#[test]
fn what_is_out_is_not_given_twice() {
    let mut board = board(10, 5);
    board.note("a", NOW);
    board.start(NOW);
    board.task("a", 1);
    board.read("a", vec![entry(1, 1, 1)], 9);
    assert_eq!(ids(board.task("a", 1)), [1]);
    board.task("a", 1);
    board.read("a", vec![entry(1, 1, 1), entry(2, 2, 1)], 9);
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
    board.read("a", vec![entry(1, 1, 1), entry(2, 2, 1), entry(3, 3, 1)], 9);
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
    let pause = |board: &mut Board, now: Timestamp, spread| board.unreachable("a", "", now, spread).0 - now.0;
    assert_eq!(pause(&mut board, NOW, 0.0), 48);
    let later = Timestamp(NOW.0 + 48);
    assert_eq!(pause(&mut board, later, 1.0), 144);
    board.note("a", later);
    assert!(board.start(later).is_empty());
    board.forgive("a");
    assert_eq!(board.start(later), ["a"]);
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
    board.tidy(NOW);
    assert_eq!(board.lanes.len(), 990);
    // One whose carrier has just left with a pause is about to be told what is due.
    let failed = board.start(NOW).remove(0);
    let until = board.unreachable(&failed, "refused", NOW, 0.5);
    board.left(&failed);
    board.tidy(NOW);
    assert_eq!(board.fault(&failed), Some("refused"));
    board.tidy(until);
    assert_eq!(board.fault(&failed), None);
}

/// Destinations that have much and are slow do not keep the places for themselves.
#[test]
fn carriers_make_room_for_a_lane_that_has_none() {
    let mut board = board(2, 2);
    let much = |mail: u64| (1..=100).map(|id| entry(mail * 1000 + id, mail * 1000 + id, 1)).collect();
    board.note("a", NOW);
    board.start(NOW);
    board.task("a", 1);
    board.read("a", much(1), 100);
    board.reached("a");
    assert_eq!(board.start(NOW), ["a"]);
    board.note("b", NOW);
    assert!(board.start(NOW).is_empty());
    // One of two leaves, and one only.
    assert_eq!(board.task("a", 1), Task::Leave);
    assert!(!board.left("a"));
    assert_eq!(ids(board.task("a", 1)), [1001]);
    assert_eq!(board.start(NOW), ["b"]);
    // The last one of a lane leaves after its share; then those that wait have their turn.
    board.note("c", NOW);
    assert!(board.start(NOW).is_empty());
    while board.task("a", 1) != Task::Leave {}
    assert!(board.left("a"));
    board.note("a", Timestamp(1));
    assert_eq!(board.start(NOW), ["c"]);
}

/// A carrier that panics leaves nothing behind that would stop its lane.
#[test]
fn a_carrier_that_breaks_off_does_not_block_its_lane() {
    let mut board = board(1, 1);
    let again = Timestamp(NOW.0 + 60);
    board.note("a", NOW);
    board.start(NOW);
    board.task("a", 1);
    board.read("a", vec![entry(1, 1, 1)], 9);
    assert_eq!(ids(board.task("a", 1)), [1]);
    board.broke_off("a", &[1], false, again);
    assert!(board.start(NOW).is_empty());
    assert_eq!(board.start(again), ["a"]);
    assert_eq!(board.task("a", 1), Task::Read(None));
    board.broke_off("a", &[], true, again);
    assert_eq!(board.start(again), ["a"]);
    assert_eq!(board.task("a", 1), Task::Read(None));
    board.read("a", vec![entry(1, 1, 1)], 9);
    assert_eq!(ids(board.task("a", 1)), [1]);
}

/// What a bell costs does not grow with the destinations.
#[test]
fn a_hundred_thousand_destinations() {
    let mut board = board(50, 5);
    (0..100_000).for_each(|n| board.note(&format!("d{n}"), NOW));
    let begun = std::time::Instant::now();
    let mut carried = 0;
    while carried < 100_000 {
        let started = board.start(NOW);
        carried += started.len();
        started.iter().for_each(|name| assert!(board.left(name)));
        assert!(!started.is_empty());
    }
    // Each bell over all of them would be 2,000 times 100,000 steps.
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    assert!(board.start(NOW).is_empty() && board.next().is_none());
}
