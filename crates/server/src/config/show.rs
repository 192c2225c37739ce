//! Prints a configuration so that it can be read back.

use super::Written;
use super::raw::SECTIONS;
use std::fmt::Write;
use toml::{Table, Value};

/// What is printed beside values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// Where each value comes from.
    Origin,
    /// What each key means, too.
    Explained,
}

/// Every key and its value, as TOML that reads back equal.
pub fn show(written: &Written, style: Style) -> String {
    let mut out = String::new();
    let Ok(table) = Table::try_from(&written.raw) else { return out };
    for (section, about, keys) in SECTIONS {
        let found = section.split('.').try_fold(&table, |table, step| table.get(step)?.as_table());
        // An optional section that is not there is part of its parent's help.
        let Some(values) = found else { continue };
        if style == Style::Explained {
            let _ = writeln!(out, "# {about}");
        }
        let _ = writeln!(out, "[{section}]");
        for key in *keys {
            if style == Style::Explained {
                for line in key.help {
                    let _ = writeln!(out, "#{line}");
                }
            }
            let origin = written.origin(section, key.name).unwrap_or("default");
            match values.get(key.name) {
                Some(Value::Table(_)) => {}
                Some(value) => {
                    let _ = writeln!(out, "{} = {value}  # {origin}", key.name);
                }
                None => {
                    let _ = writeln!(out, "# {} is not set", key.name);
                }
            }
        }
        out.push('\n');
    }
    out
}
