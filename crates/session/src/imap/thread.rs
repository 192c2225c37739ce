//! THREAD's two algorithms (RFC 5256 §3), over plain values; the tree is an arena, so nothing recurses.

use std::collections::HashMap;

/// What threading needs to know of one message.
pub(super) struct Threaded {
    /// The number that the response shows.
    pub(super) number: u32,
    /// When it was sent, or received where it does not say (RFC 5256 §2.2).
    pub(super) sent: i64,
    /// Its base subject, folded for comparison (RFC 5256 §2.1).
    pub(super) subject: String,
    /// Whether the subject said that it is a reply or was forwarded.
    pub(super) reply: bool,
    /// Its Message-ID, without angle brackets.
    pub(super) id: Option<String>,
    /// What it refers to, oldest first: References, or the first of In-Reply-To.
    pub(super) references: Vec<String>,
}

/// ORDEREDSUBJECT: messages of one base subject, the first in front, the threads by the date of their first.
///
/// `mail` is in order of number. Appends the thread lists to `out`.
pub(super) fn ordered_subject(mail: &[Threaded], out: &mut Vec<u8>) {
    let mut order: Vec<&Threaded> = mail.iter().collect();
    order.sort_by_key(|m| (m.sent, m.number));
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut threads: Vec<Vec<u32>> = Vec::new();
    for message in order {
        let place = *places.entry(&message.subject).or_insert(threads.len());
        match threads.get_mut(place) {
            Some(thread) => thread.push(message.number),
            None => threads.push(vec![message.number]),
        }
    }
    for thread in &threads {
        out.push(b'(');
        let nested = thread.len() > 2;
        for (place, number) in thread.iter().enumerate() {
            match place {
                0 => {}
                1 => out.extend_from_slice(if nested { b" (" } else { b" " }),
                _ => out.push(b'('),
            }
            super::print::number(out, u64::from(*number));
            if nested && place > 0 {
                out.push(b')');
            }
        }
        out.push(b')');
    }
}

/// REFERENCES: by message ids, then by subject.
///
/// `mail` is in order of number. Appends the thread lists to `out`.
pub(super) fn references(mail: &[Threaded], out: &mut Vec<u8>) {
    let mut forest = Forest { mail, nodes: vec![Node::default()], scratch: Vec::new() };
    forest.link();
    forest.plant();
    forest.prune();
    forest.sort_root();
    forest.merge_subjects();
    forest.sort_all();
    forest.print(out);
}

/// A place in [`Forest::nodes`]; 0 is the root.
type Place = usize;

const ROOT: Place = 0;

#[derive(Default)]
struct Node {
    /// The message; a dummy has none.
    message: Option<usize>,
    parent: Option<Place>,
    children: Vec<Place>,
}

struct Forest<'a> {
    mail: &'a [Threaded],
    nodes: Vec<Node>,
    scratch: Vec<Place>,
}

impl<'a> Forest<'a> {
    /// Step 1: parents by Message-ID and references. Only `parent` is kept for now.
    fn link(&mut self) {
        let mut by_id: HashMap<&'a str, Place> = HashMap::new();
        let mail: &'a [Threaded] = self.mail;
        for (index, message) in mail.iter().enumerate() {
            let mut last = None;
            for reference in &message.references {
                let place = *by_id.entry(reference).or_insert_with(|| {
                    self.nodes.push(Node::default());
                    self.nodes.len() - 1
                });
                // (A) Neighbours in References are parent and child, unless the child has a parent already.
                if let Some(parent) = last
                    && self.nodes[place].parent.is_none()
                    && !self.descends(parent, place)
                {
                    self.nodes[place].parent = Some(parent);
                }
                last = Some(place);
            }
            let place = self.place_of(index, message.id.as_deref(), &mut by_id);
            // (B) The last reference is the parent, whatever was said before.
            self.nodes[place].parent = None;
            if let Some(parent) = last
                && !self.descends(parent, place)
            {
                self.nodes[place].parent = Some(parent);
            }
        }
    }

    /// The node of a message: a dummy that waits for its id, or a new one. A duplicate id counts as none.
    fn place_of(&mut self, index: usize, id: Option<&'a str>, by_id: &mut HashMap<&'a str, Place>) -> Place {
        if let Some(id) = id {
            match by_id.get(id) {
                Some(place) if self.nodes[*place].message.is_none() => {
                    self.nodes[*place].message = Some(index);
                    return *place;
                }
                Some(_) => {}
                None => {
                    by_id.insert(id, self.nodes.len());
                }
            }
        }
        self.nodes.push(Node { message: Some(index), ..Node::default() });
        self.nodes.len() - 1
    }

    /// Whether `below` is `above` or lies under it.
    ///
    /// Chains can be long, and walked often: what a hostile mailbox costs is bounded by [`MAX_DEPTH`]; a link that
    /// would reach deeper is taken for a loop and not made.
    fn descends(&self, below: Place, above: Place) -> bool {
        let mut at = Some(below);
        for _ in 0..MAX_DEPTH {
            match at {
                None => return false,
                Some(place) if place == above => return true,
                Some(place) => at = self.nodes[place].parent,
            }
        }
        true
    }

    /// Step 2: those without parent hang on the root; children are listed.
    fn plant(&mut self) {
        for place in 1..self.nodes.len() {
            let parent = self.nodes[place].parent.unwrap_or(ROOT);
            self.nodes[place].parent = Some(parent);
            self.nodes[parent].children.push(place);
        }
    }

    /// Places under the root, parents before children.
    fn preorder(&mut self) -> Vec<Place> {
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut stack = std::mem::take(&mut self.scratch);
        stack.clear();
        stack.push(ROOT);
        while let Some(place) = stack.pop() {
            order.push(place);
            stack.extend(self.nodes[place].children.iter().rev());
        }
        self.scratch = stack;
        order
    }

    /// Step 3: dummies go, their children move up; under the root only where there is a single child.
    fn prune(&mut self) {
        let order = self.preorder();
        // Children first, so that what moves up is pruned already.
        for place in order.into_iter().rev() {
            let children = std::mem::take(&mut self.nodes[place].children);
            let mut kept = Vec::with_capacity(children.len());
            for child in children {
                let node = &mut self.nodes[child];
                let goes = node.message.is_none() && (place != ROOT || node.children.len() < 2);
                if goes {
                    kept.append(&mut node.children);
                } else {
                    kept.push(child);
                }
            }
            for child in &kept {
                self.nodes[*child].parent = Some(place);
            }
            self.nodes[place].children = kept;
        }
    }

    /// The message that stands for a node: its own, or the first child's of a dummy.
    fn speaker(&self, place: Place) -> Option<&'a Threaded> {
        let node = &self.nodes[place];
        let index = node.message.or_else(|| self.nodes[*node.children.first()?].message)?;
        self.mail.get(index)
    }

    fn sort_children(&mut self, place: Place) {
        let mut children = std::mem::take(&mut self.nodes[place].children);
        children.sort_by_cached_key(|child| self.speaker(*child).map(|m| (m.sent, m.number)));
        self.nodes[place].children = children;
    }

    /// Step 4: the root's children by date; a dummy's children are sorted for it first.
    fn sort_root(&mut self) {
        for child in self.nodes[ROOT].children.clone() {
            if self.nodes[child].message.is_none() {
                self.sort_children(child);
            }
        }
        self.sort_children(ROOT);
    }

    /// Step 5: threads of one base subject become one.
    fn merge_subjects(&mut self) {
        let threads = std::mem::take(&mut self.nodes[ROOT].children);
        let mut table: HashMap<&'a str, Place> = HashMap::new();
        for place in &threads {
            let Some(speaker) = self.speaker(*place).filter(|m| !m.subject.is_empty()) else { continue };
            let held = *table.entry(&speaker.subject).or_insert(*place);
            let better =
                self.nodes[*place].message.is_none() || (self.is_reply(held) && !self.is_reply(*place));
            if self.nodes[held].message.is_some() && better {
                table.insert(&speaker.subject, *place);
            }
        }
        let mut root = Vec::with_capacity(threads.len());
        // Where a new dummy stands in for the message that the table held.
        let mut replaced: HashMap<Place, Place> = HashMap::new();
        for place in threads {
            let speaker = self.speaker(place).filter(|m| !m.subject.is_empty());
            let held = speaker.and_then(|m| table.get(m.subject.as_str()).copied());
            match held {
                None => root.push(place),
                Some(held) if held == place => root.push(place),
                Some(held) => {
                    if let Some(dummy) = self.merge(place, held) {
                        replaced.insert(held, dummy);
                        if let Some(speaker) = speaker {
                            table.insert(&speaker.subject, dummy);
                        }
                    }
                }
            }
        }
        for place in &mut root {
            *place = replaced.get(place).copied().unwrap_or(*place);
        }
        self.nodes[ROOT].children = root;
    }

    fn is_reply(&self, place: Place) -> bool {
        self.speaker(place).is_some_and(|m| m.reply)
    }

    /// Step 5.C: puts `current` where `held` is; gives the dummy that takes the place of both, if one was made.
    fn merge(&mut self, current: Place, held: Place) -> Option<Place> {
        let dummies = (self.nodes[current].message.is_none(), self.nodes[held].message.is_none());
        match dummies {
            (true, true) => {
                let mut children = std::mem::take(&mut self.nodes[current].children);
                self.nodes[held].children.append(&mut children);
                None
            }
            (false, true) => {
                self.nodes[held].children.push(current);
                None
            }
            _ if self.is_reply(current) && !self.is_reply(held) => {
                self.nodes[held].children.push(current);
                None
            }
            _ => {
                self.nodes.push(Node { message: None, parent: Some(ROOT), children: vec![held, current] });
                Some(self.nodes.len() - 1)
            }
        }
    }

    /// Step 6: every set of siblings by date, grandchildren before children.
    fn sort_all(&mut self) {
        for place in self.preorder().into_iter().rev() {
            self.sort_children(place);
        }
    }

    fn print(&self, out: &mut Vec<u8>) {
        enum Step {
            Thread(Place),
            Close,
        }
        let mut steps: Vec<Step> = self.nodes[ROOT].children.iter().rev().map(|p| Step::Thread(*p)).collect();
        while let Some(step) = steps.pop() {
            let Step::Thread(mut place) = step else {
                out.push(b')');
                continue;
            };
            out.push(b'(');
            let mut first = true;
            // A single child goes on in the same list.
            loop {
                let node = &self.nodes[place];
                if let Some(message) = node.message.and_then(|index| self.mail.get(index)) {
                    if !std::mem::take(&mut first) {
                        out.push(b' ');
                    }
                    super::print::number(out, u64::from(message.number));
                }
                match node.children.as_slice() {
                    [only] => place = *only,
                    children => {
                        steps.push(Step::Close);
                        if !children.is_empty() && !first {
                            out.push(b' ');
                        }
                        steps.extend(children.iter().rev().map(|p| Step::Thread(*p)));
                        break;
                    }
                }
            }
        }
    }
}

/// How deep a thread may grow by references.
const MAX_DEPTH: usize = 1000;
