//! Every limit that a script or a message can run into, by name, with its default.

/// Bounds on what a script may be, and on what one run of it may cost and cause.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Octets of a script.
    pub script_octets: usize,
    /// How deep blocks and tests may nest.
    pub nesting: usize,
    /// Commands and tests of one script.
    pub commands: usize,
    /// Octets of one string, as written and with its variables filled in; longer ones are cut where they are
    /// filled in.
    pub string_octets: usize,
    /// Memory that one compiled regular expression may take, in octets.
    pub regex_octets: usize,
    /// Regular expressions in one script.
    pub regexes: usize,
    /// Octets of a text that a regular expression is matched against; what lies beyond is not looked at.
    pub regex_text_octets: usize,
    /// Steps of one run, included scripts too: a command, a test or a comparison costs one, long texts and questions to
    /// the host cost more. A step takes some tens of nanoseconds.
    pub steps: u64,
    /// Octets of one part of a message's body that tests look at; of the whole, where it is not taken apart.
    pub part_octets: usize,
    /// Octets of all parts that tests look at.
    pub body_octets: usize,
    /// Variables of one script, and global ones of a run (RFC 5229 §6 asks for 128 at least).
    pub variables: usize,
    /// Octets of a variable's value; what is longer is cut (RFC 5229 §6 asks for 4000 characters at least).
    pub variable_octets: usize,
    /// Flags in one list.
    pub flags: usize,
    /// Actions of one run that keep, file or send.
    pub actions: usize,
    /// Redirects of one run (RFC 5228 §10); where there may be none, a script with `redirect` is refused.
    pub redirects: usize,
    /// Notifications of one run.
    pub notifications: usize,
    /// Fields that one run may add, and deletions it may try.
    pub header_edits: usize,
    /// Octets of the fields that one run may add.
    pub header_added_octets: usize,
    /// How deep scripts may include each other, the first one counted (RFC 6609 §3.1 asks for three at least).
    pub include_depth: usize,
    /// Inclusions of one run.
    pub includes: usize,
    /// The shortest and the longest time between two vacation replies to one sender, in seconds (RFC 5230 §4.1,
    /// RFC 6131 §2).
    pub vacation_seconds: (u64, u64),
    /// The longest time that `duplicate` remembers a message, in seconds (RFC 7352 §3.3).
    pub duplicate_seconds: u64,
    /// Lines of the trace that are kept.
    pub trace_lines: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            script_octets: 256 * 1024,
            nesting: 32,
            commands: 20_000,
            string_octets: 64 * 1024,
            regex_octets: 128 * 1024,
            regexes: 200,
            regex_text_octets: 8 * 1024,
            steps: 1_000_000,
            part_octets: 1024 * 1024,
            body_octets: 4 * 1024 * 1024,
            variables: 256,
            variable_octets: 16 * 1024,
            flags: 100,
            actions: 32,
            redirects: 5,
            notifications: 5,
            header_edits: 100,
            header_added_octets: 64 * 1024,
            include_depth: 10,
            includes: 50,
            vacation_seconds: (60, 90 * 86_400),
            duplicate_seconds: 90 * 86_400,
            trace_lines: 200,
        }
    }
}
