//! Any octets as an encoded tree: nothing, or a tree that every reader can walk, whatever the message is like.
#![no_main]

use base::{Limits, Octets};
use libfuzzer_sys::fuzz_target;
use mailward_fuzz::Claimed;
use wire::mime::{Tree, describe, search_text};

/// A message that is made up for a tree, at most.
const MADE_UP: u64 = 256 * 1024;

fuzz_target!(|input: &[u8]| {
    let Some(tree) = Tree::decode(input) else { return };
    let mut code = Vec::new();
    tree.encode(&mut code);
    assert_eq!(Tree::decode(&code).as_ref(), Some(&tree));
    for (id, part) in tree.iter() {
        assert!(part.whole().end <= tree.size() && part.header().end <= part.whole().end);
        assert!(tree.children(id).count() < tree.parts().len());
        part.file_names();
    }
    for numbers in [&[][..], &[1], &[1, 1, 2], &[0], &[u32::MAX, 1]] {
        tree.find(numbers);
    }
    read(&tree, &Vec::new());
    if tree.size() <= MADE_UP && tree.parts().len() <= 100 {
        read(&tree, &Claimed(tree.size()));
    }
    let mut moved = tree.clone();
    if tree.size() < u64::MAX / 4 {
        moved.prepend_header(b"Received: x\r\n");
    }
});

/// What fails must fail as reading does.
fn read(tree: &Tree, octets: &dyn Octets) {
    let _ = describe::body_structure(tree, octets);
    let _ = describe::body(tree, octets);
    let _ = search_text(tree, octets);
    let _ = tree.alternatives(octets, &Limits::default());
    for (id, _) in tree.iter().take(20) {
        let _ = tree.decode_body(id, octets, &mut Vec::new());
    }
}
