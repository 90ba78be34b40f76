//! The pages that a newcomer reads first stay short.

use crate::assert_none;
use crate::repository::read;

/// Most lines of each.
const LINES_MAX: &[(&str, usize)] = &[("README.md", 200), ("ARCHITECTURE.md", 150)];

#[test]
fn the_first_pages_are_short() {
    let lengths = LINES_MAX
        .iter()
        .map(|(file, most)| (file, read(file).lines().count(), most));
    let too_long = lengths.filter(|(_, lines, most)| lines > *most);
    let too_long: Vec<String> = too_long
        .map(|(file, lines, most)| format!("{file} has {lines} lines, more than {most}"))
        .collect();
    assert_none(&too_long);
}
