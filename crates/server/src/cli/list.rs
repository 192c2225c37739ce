//! `mailward group` and `mailward list`.

use super::Listing;
use super::run::ask;
use crate::control::{ListRequest, ListStyle, Request};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

pub const GROUP_EXAMPLES: &str = "Examples:
  mailward group add team@example.org
  mailward group join team@example.org anna@example.org bert@example.net
  mailward group show team@example.org

Mail to a group goes to its members as it came. docs/lists.md tells what becomes of mail that fails.";

pub const LIST_EXAMPLES: &str = "Examples:
  mailward list add talk@example.org --tag Talk
  mailward list join talk@example.org anna@example.org bert@example.net
  mailward list add news@example.org --post moderators
  mailward list join news@example.org anna@example.org --moderator
  mailward list show talk@example.org

A list's mail says that it comes from a list, and how to leave it. docs/lists.md tells all of it.";

/// Who may write.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Post {
    /// Everybody
    Anyone,
    /// Members
    Members,
    /// Members that were added with --moderator
    Moderators,
}

/// How a list treats mail.
#[derive(Args, Clone, Debug)]
pub struct Style {
    /// Who may write to it
    #[arg(long, value_name = "WHO", default_value = "members")]
    pub post: Post,
    /// What stands in brackets before each subject
    #[arg(long)]
    pub tag: Option<String>,
    /// Let answers go to the list, not to who wrote
    #[arg(long)]
    pub answers_to_list: bool,
}

/// Groups.
#[derive(Subcommand, Debug)]
pub enum Group {
    /// Add a group without members; its domain must be here already
    Add {
        /// Its address
        address: String,
        /// Who may write to it
        #[arg(long, value_name = "WHO", default_value = "anyone")]
        post: Post,
    },
    /// What is the same for groups and lists.
    #[command(flatten)]
    Shared(Shared),
}

/// Lists.
#[derive(Subcommand, Debug)]
pub enum List {
    /// Add a list without members; its domain must be here already
    Add {
        /// Its address
        address: String,
        #[command(flatten)]
        style: Style,
    },
    /// Give a list another style; what is not named gets its default
    Set {
        /// Its address
        address: String,
        #[command(flatten)]
        style: Style,
    },
    /// What is the same for groups and lists.
    #[command(flatten)]
    Shared(Shared),
}

/// What is the same for groups and lists.
#[derive(Subcommand, Debug)]
pub enum Shared {
    /// Remove it, with its members
    Remove {
        /// Its address
        address: String,
    },
    /// List all of them
    List(Listing),
    /// Its members, and whose mail fails
    Show {
        /// Its address
        address: String,
        #[command(flatten)]
        listing: Listing,
    },
    /// Add members, or let suspended ones have mail again
    Join {
        /// Its address
        address: String,
        /// Theirs, here or elsewhere
        #[arg(required = true)]
        members: Vec<String>,
        /// They may write where only moderators may, and get mail for its owner
        #[arg(long)]
        moderator: bool,
    },
    /// Remove members
    Leave {
        /// Its address
        address: String,
        /// Theirs
        #[arg(required = true)]
        members: Vec<String>,
    },
}

/// Does what is wanted with a group.
pub fn obey_group(files: &[PathBuf], command: Group) -> Result<(), String> {
    match command {
        Group::Add { address, post } => {
            let style = ListStyle { post: word(post), tag: None, answers_to_list: false };
            request(files, ListRequest::Add { address, group: true, style }, false)
        }
        Group::Shared(shared) => obey_shared(files, shared, true),
    }
}

/// Does what is wanted with a list.
pub fn obey_list(files: &[PathBuf], command: List) -> Result<(), String> {
    match command {
        List::Add { address, style } => {
            request(files, ListRequest::Add { address, group: false, style: told(style) }, false)
        }
        List::Set { address, style } => {
            request(files, ListRequest::Set { address, style: told(style) }, false)
        }
        List::Shared(shared) => obey_shared(files, shared, false),
    }
}

fn obey_shared(files: &[PathBuf], command: Shared, groups: bool) -> Result<(), String> {
    let (what, json) = match command {
        Shared::Remove { address } => (ListRequest::Remove { address }, false),
        Shared::List(listing) => (ListRequest::All { groups }, listing.json),
        Shared::Show { address, listing } => (ListRequest::Show { address }, listing.json),
        Shared::Join { address, members, moderator } => {
            (ListRequest::Join { address, members, moderator }, false)
        }
        Shared::Leave { address, members } => (ListRequest::Leave { address, members }, false),
    };
    request(files, what, json)
}

fn request(files: &[PathBuf], what: ListRequest, json: bool) -> Result<(), String> {
    ask(files, &Request::List { what }, json)
}

fn told(style: Style) -> ListStyle {
    ListStyle { post: word(style.post), tag: style.tag, answers_to_list: style.answers_to_list }
}

fn word(post: Post) -> String {
    match post {
        Post::Anyone => "anyone",
        Post::Members => "members",
        Post::Moderators => "moderators",
    }
    .to_owned()
}
