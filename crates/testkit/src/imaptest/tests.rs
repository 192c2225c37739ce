use super::value::{Matching, Variables, parse};

fn check(expected: &str, got: &str, matches: bool) -> Variables {
    let mut variables = Variables::from([("mailbox".to_owned(), "box".to_owned())]);
    let sequence = |n| n;
    let (want, have) = (parse(expected).unwrap(), parse(got).unwrap());
    let found = Matching { variables: &mut variables, sequence: &sequence }.reply(&want, &have);
    assert_eq!(found, matches, "{expected} / {got}");
    variables
}

#[test]
fn replies_match_as_the_format_says() {
    let bound = check("1 fetch (uid $uid flags (\\seen))", "1 FETCH (FLAGS (\\Seen) UID 17)", true);
    assert_eq!(bound.get("uid").map(String::as_str), Some("17"));
    check("1 fetch (flags (\\seen))", "1 FETCH (FLAGS (\\Seen \\Recent))", true);
    check("1 fetch (flags (\\seen))", "1 FETCH (FLAGS (\\Seen \\Flagged))", false);
    check("list () $sep ${mailbox}/a", "LIST (\\HasNoChildren) \"/\" box/a", true);
    check(
        "list ($!unordered $!ban=\\haschildren \\subscribed) / a",
        "LIST (\\Subscribed \\HasChildren) / a",
        false,
    );
    check("ok [unseen 1]", "OK [UNSEEN 1] First unseen", true);
    check("ok [unseen 2]", "OK [UNSEEN 1] First unseen", false);
    check("search 1 2", "SEARCH 1 2", true);
    check("search 1", "SEARCH 1 2", false);
    check("esearch (tag $t) all 1:3", "ESEARCH (TAG \"a1\") ALL 1:3", true);
    check("status box (messages 1)", "STATUS box (UIDNEXT 4 MESSAGES 1)", true);
    check(
        "1 fetch (body[header.fields (subject)] {4}\r\na\r\nb)",
        "1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] \"a\r\nb\")",
        true,
    );
}
