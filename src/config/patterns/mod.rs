//! Secrets that are known by their own looks: tokens, private keys, passwords in URLs, webhooks; and what only looks like one.

mod urls;
pub(super) mod values;

use std::ops::Range;

use crate::base::redact;

pub use values::is_placeholder;

/// Well-known tokens, private keys and passwords in URLs, wherever they are; without those that documentations show.
#[must_use]
pub fn patterns(text: &str) -> Vec<(&'static str, Range<usize>)> {
    let real = |(_, span): &(&str, Range<usize>)| !values::is_example(&text[span.clone()]);
    let mut found: Vec<_> = redact::tokens(text).into_iter().filter(real).collect();
    for (kind, span) in urls::private_keys(text).chain(urls::url_passwords(text)).chain(urls::webhooks(text)) {
        if !found.iter().any(|(_, other)| overlap(other, &span)) {
            found.push((kind, span));
        }
    }
    found
}

/// True if two ranges have a byte in common.
pub(super) fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}
