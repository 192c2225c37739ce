//! Any octets as a gathered IMAP command.
#![no_main]

use base::Secret;
use libfuzzer_sys::fuzz_target;
use mailward_fuzz::choices;
use wire::imap::command::{self, Command, CommandBody};
use wire::imap::{Announced, ParseError};

fuzz_target!(|input: &[u8]| {
    let Some(([choice], octets)) = choices::<1>(input) else { return };
    let utf8 = choice & 1 == 1;
    match command::parse(octets, utf8) {
        Ok(command) => {
            assert_eq!(Some(&command.tag), command::tag_of(octets).as_ref());
            // What is parsed is no larger than what came, but for what the program's own types take.
            assert!(format!("{command:?}").len() <= 2000 + octets.len() * 100);
        }
        Err(error) => assert_answerable(&error),
    }
    let announced = Announced {
        prefix: Secret::new(octets),
        octets: 5,
        synchronising: choice & 2 == 2,
        binary: choice & 4 == 4,
    };
    match command::parse_announced(&announced, utf8) {
        Ok(Command { body: CommandBody::Append(mut append), .. }) => {
            for read in [append.reader.next(&announced), append.reader.end(octets)] {
                if let Err(error) = read {
                    assert_answerable(&error);
                }
            }
        }
        Ok(_) => {}
        Err(error) => assert_answerable(&error),
    }
});

/// It goes onto one line.
fn assert_answerable(error: &ParseError) {
    assert!(error.reason.bytes().all(|b| (b' '..=b'~').contains(&b)));
    assert!(
        error.tag.as_ref().is_none_or(|tag| tag.len() <= 255 && tag.bytes().all(|b| b.is_ascii_graphic()))
    );
}
