//! Lists for people: columns as wide as what is in them.

/// A heading and rows, columns aligned; numbers to the right.
pub fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return "none\n".into();
    }
    let shown: Vec<Vec<String>> = std::iter::once(heading.iter().map(|h| (*h).to_owned()).collect())
        .chain(rows.iter().map(|row| row.iter().map(|cell| shown(cell)).collect()))
        .collect();
    let width = |column: usize| {
        shown.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let mut out = String::new();
    for row in &shown {
        let cells = row.iter().zip(&widths).map(|(cell, width)| match cell.parse::<u64>() {
            Ok(_) => format!("{cell:>width$}"),
            Err(_) => format!("{cell:<width$}"),
        });
        out += cells.collect::<Vec<_>>().join("  ").trim_end();
        out.push('\n');
    }
    out
}

/// What strangers wrote must not steer the terminal.
pub fn shown(text: &str) -> String {
    moving::printable(text, usize::MAX)
}
