//! Tokens that are recognized by their form.

use std::ops::Range;

use super::tokens::tokens;

/// Every token of a well-known shape, and every private key.
pub(super) fn hidden(text: &str) -> Vec<Range<usize>> {
    tokens(text).into_iter().chain(private_keys(text)).map(|(_, span)| span).collect()
}

/// Private keys from their first line to their last.
fn private_keys(text: &str) -> impl Iterator<Item = (&'static str, Range<usize>)> {
    const END: &str = "PRIVATE KEY-----";
    text.match_indices("-----BEGIN ").filter_map(move |(begin, _)| {
        let line = text[begin..].lines().next()?;
        let head = begin..begin + line.find(END)? + END.len();
        let end = text[head.end..].find(END).map_or(head.end, |length| head.end + length + END.len());
        Some(("a private key", begin..end))
    })
}
