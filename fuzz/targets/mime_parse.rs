//! Any octets as a message: every cut gives one tree, the tree is sound, and all that is made of it stays in bounds.
#![no_main]

use base::Limits;
use libfuzzer_sys::fuzz_target;
use mailward_fuzz::{Cut, assert_balanced, choices, cut, pieces};
use wire::mime::{Kind, Parser, PartId, Reading, SEARCH_TEXT_OCTETS, Tree, describe, search_text, seven_bit};

fuzz_target!(|input: &[u8]| {
    let Some(([choice, reading, cuts], message)) = choices::<3>(input) else { return };
    let limits = limits(*choice);
    let whole = parse(message, &limits, Reading::default(), Cut::Whole);
    assert_eq!(whole, parse(message, &limits, Reading::default(), cut(*cuts)));
    assert_eq!(whole, Tree::parse(message, &limits));
    assert_sound(&whole, message, &limits);
    assert_comes_back(&whole);
    let octets = message.to_vec();
    assert_balanced(&describe::body_structure(&whole, &octets).expect("octets in memory"));
    assert_balanced(&describe::body(&whole, &octets).expect("octets in memory"));
    assert!(
        search_text(&whole, &octets).expect("octets in memory").len()
            <= SEARCH_TEXT_OCTETS + whole.parts().len() * 2
    );
    for (id, part) in whole.iter() {
        part.file_names();
        part.description_text();
        whole.text_of(id, &octets).expect("octets in memory");
    }
    for other in whole.alternatives(&octets, &limits).expect("octets in memory") {
        if let Some(tree) = &other.tree {
            assert_sound(tree, other.octets.as_deref().unwrap_or(message), &limits);
        }
    }
    let reading = as_reading(*reading);
    let other = parse(message, &limits, reading, Cut::Whole);
    assert_eq!(other, parse(message, &limits, reading, cut(*cuts)));
    assert_sound(&other, message, &limits);
    made_seven_bit(&whole, message, &limits);
    prepended(whole, message);
});

/// What is made 7-bit is, and where nothing was odd the contents are what they were.
fn made_seven_bit(tree: &Tree, message: &[u8], limits: &Limits) {
    let Some(made) = seven_bit(tree, message) else { return };
    assert!(made.is_ascii() && !made.contains(&0));
    let again = Tree::parse(&made, limits);
    if !tree.notes().is_empty() || !again.notes().is_empty() || again.parts().len() != tree.parts().len() {
        return;
    }
    for (id, part) in tree.iter().filter(|(_, part)| part.kind == Kind::Leaf) {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        tree.decode_body(id, &message.to_vec(), &mut before).expect("octets in memory");
        again.decode_body(id, &made, &mut after).expect("octets in memory");
        assert_eq!(before, after, "{:?}", part.content_type);
    }
}

fn limits(choice: u8) -> Limits {
    match choice % 3 {
        0 => Limits { parts: 20, nesting: 6, header_octets: 300, header_fields: 5, ..Limits::default() },
        1 => Limits { parts: 3, nesting: 2, ..Limits::default() },
        _ => Limits::default(),
    }
}

fn as_reading(bits: u8) -> Reading {
    let bit = |n: u8| bits >> n & 1 == 1;
    Reading {
        prefix_delimits: bit(0),
        closed_reopens: bit(1),
        last_wins: bit(2),
        junk_ends_header: bit(3),
        outermost_first: bit(4),
        boundary_is_word: bit(5),
        cr_ends_line: bit(6),
    }
}

fn parse(message: &[u8], limits: &Limits, reading: Reading, cut: Cut) -> Tree {
    let mut parser = Parser::with_reading(limits, reading);
    pieces(message, cut).into_iter().for_each(|piece| parser.push(piece));
    parser.finish()
}

fn assert_sound(tree: &Tree, message: &[u8], limits: &Limits) {
    let size = message.len() as u64;
    assert_eq!(tree.size(), size);
    assert_eq!(tree.is_eight_bit(), !message.is_ascii());
    assert!(
        !tree.parts().is_empty() && tree.parts().len() <= limits.parts.max(1),
        "{} parts",
        tree.parts().len()
    );
    for (id, part) in tree.iter() {
        let around = part.parent.map_or(0..size, |parent| tree.get(parent).expect("a parent").body());
        let (header, body, all) = (part.header(), part.body(), part.whole());
        assert!(around.start <= all.start && all.end <= around.end, "{id:?} lies outside its parent");
        assert!(header.start <= header.end && header.end == body.start && body.start <= body.end);
        assert!(part.fields.len() <= limits.header_fields);
        for field in &part.fields {
            let (whole, value) = (field.whole(), field.value());
            assert!(header.start <= whole.start && whole.end <= header.end);
            assert!(whole.start <= value.start && value.end <= whole.end);
        }
        match part.kind {
            Kind::Leaf => assert_eq!(tree.children(id).count(), 0),
            Kind::Message => assert_eq!(tree.children(id).count(), 1),
            Kind::Multipart => assert_ne!(tree.children(id).count(), 0),
        }
        assert!(tree.children(id).all(|child| tree.get(child).expect("a child").parent == Some(id)));
    }
    let children: usize = tree.iter().map(|(id, _)| tree.children(id).count()).sum();
    assert_eq!(children + 1, tree.parts().len());
    assert!(tree.notes().iter().all(|note| note.at <= size && tree.get(note.part).is_some()));
    assert_eq!(tree.find(&[]), Some(PartId::ROOT));
}

fn assert_comes_back(tree: &Tree) {
    let mut code = Vec::new();
    tree.encode(&mut code);
    assert_eq!(Tree::decode(&code).as_ref(), Some(tree));
}

/// A tree that moved is still sound, and fits the message with the fields in front.
fn prepended(mut tree: Tree, message: &[u8]) {
    let prefix = b"Return-Path: <a@b>\r\nReceived: from x\r\n\tby y; z\r\n";
    tree.prepend_header(prefix);
    let all = [prefix, message].concat();
    let limits = Limits { header_fields: usize::MAX, parts: usize::MAX, ..Limits::default() };
    assert_sound(&tree, &all, &limits);
    assert_comes_back(&tree);
    assert_eq!(tree.fields_named("return-path").next().map(|field| field.whole()), Some(0..20));
}
