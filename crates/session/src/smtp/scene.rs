//! What the players of scenes share, whichever side of a session they play: how octets stand in a scene, and in which
//! ways they are split up.

use std::path::Path;

/// How a turn's octets are split up.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    Nowhere,
    Each(usize),
    At(usize),
}

impl Cut {
    /// The pieces, in order.
    pub fn pieces(self, octets: &[u8]) -> Vec<&[u8]> {
        match self {
            Cut::Nowhere => vec![octets],
            Cut::Each(size) => octets.chunks(size).collect(),
            Cut::At(at) => {
                let (first, second) = octets.split_at(at.min(octets.len()));
                vec![first, second]
            }
        }
    }
}

/// Octets as a scene writes them: `\r`, `\n`, `\0` and `\\` are escapes; with `crlf` a line end follows.
pub fn unescape(text: &str, crlf: bool) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => octets.push(match characters.next() {
                Some('r') => b'\r',
                Some('n') => b'\n',
                Some('0') => 0,
                other => other.unwrap() as u8,
            }),
            c => octets.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    if crlf {
        octets.extend_from_slice(b"\r\n");
    }
    octets
}

/// Has a scene played with the octets of its turns (`fed` says how many each is fed) split up in every way. `play` is
/// told by the turn's number how.
pub fn in_all_ways(
    fed: &[usize],
    play: impl Fn(&dyn Fn(usize) -> Cut) -> Result<(), String>,
) -> Result<(), String> {
    play(&|_| Cut::Nowhere)?;
    for size in [1, 2, 3, 7] {
        play(&|_| Cut::Each(size))?;
    }
    for (number, octets) in fed.iter().enumerate() {
        for at in 1..*octets {
            play(&|n| if n == number { Cut::At(at) } else { Cut::Nowhere })?;
        }
    }
    Ok(())
}

/// Has every scene of a folder below the crate played, by its name and text; all that go wrong are told.
pub fn check_folder(folder: &str, play: impl Fn(&str, &str) -> Result<(), String>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 20);
    let play = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        play(&path.file_name().unwrap().to_string_lossy(), &text).err()
    };
    let wrong: Vec<String> = paths.iter().filter_map(play).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
