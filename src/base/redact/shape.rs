//! Tokens that are told by how they look.

use std::ops::Range;

/// How tokens begin, the fewest characters that follow, and what they are.
const TOKENS: [(&str, usize, &str); 34] = [
    ("AKIA", 16, "an AWS access key"),
    ("ASIA", 16, "an AWS access key"),
    ("ghp_", 20, "a GitHub token"),
    ("gho_", 20, "a GitHub token"),
    ("ghs_", 20, "a GitHub token"),
    ("ghu_", 20, "a GitHub token"),
    ("ghr_", 20, "a GitHub token"),
    ("github_pat_", 20, "a GitHub token"),
    ("glpat-", 16, "a GitLab token"),
    ("glrt-", 16, "a GitLab token"),
    ("sk_live_", 12, "a Stripe key"),
    ("rk_live_", 12, "a Stripe key"),
    ("sk_test_", 12, "a Stripe key"),
    ("whsec_", 20, "a Stripe key"),
    ("sk-", 24, "an API key"),
    ("xoxb-", 10, "a Slack token"),
    ("xoxp-", 10, "a Slack token"),
    ("xoxa-", 10, "a Slack token"),
    ("xoxs-", 10, "a Slack token"),
    ("xapp-", 10, "a Slack token"),
    ("npm_", 24, "an npm token"),
    ("pypi-", 40, "a PyPI token"),
    ("dop_v1_", 24, "a DigitalOcean token"),
    ("dckr_pat_", 20, "a Docker token"),
    ("shpat_", 20, "a Shopify token"),
    ("hf_", 30, "a Hugging Face token"),
    ("hvs.", 20, "a Vault token"),
    ("hvb.", 20, "a Vault token"),
    ("SG.", 40, "a SendGrid key"),
    ("ya29.", 20, "a Google token"),
    ("AIza", 30, "a Google key"),
    ("AGE-SECRET-KEY-1", 20, "an age key"),
    ("AGE-SECRET-KEY-", 20, "an age key"),
    ("tskey-", 20, "a Tailscale key"),
];

/// Every token of a well-known shape, and every private key.
pub(super) fn hidden(text: &str) -> Vec<Range<usize>> {
    tokens(text).chain(private_keys(text)).map(|(_, span)| span).collect()
}

/// Tokens of a well-known shape, and JSON web tokens.
pub fn tokens(text: &str) -> impl Iterator<Item = (&'static str, Range<usize>)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let is_more = move |c: char| is_part(c) || c == '.';
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let begin = at + text[at..].find(is_part)?;
            let rest = &text[begin..];
            let word = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            let dotted = rest.find(|c| !is_more(c)).unwrap_or(rest.len());
            let long = |(start, least, _): &&(&str, usize, &str)| {
                let length = if start.ends_with('.') { dotted } else { word };
                rest[..length].strip_prefix(start).is_some_and(|tail| tail.len() >= *least)
            };
            if let Some((start, _, kind)) = TOKENS.iter().find(long) {
                at = begin + if start.ends_with('.') { dotted } else { word };
                return Some((*kind, begin..at));
            }
            // Base64 parts with dots between them.
            if rest.starts_with("eyJ") && word >= 16 && rest[word..].starts_with('.') {
                at = begin + dotted;
                return Some(("a JSON web token", begin..at));
            }
            at = begin + word;
        }
    })
}

/// Private keys from their first line to their last.
pub fn private_keys(text: &str) -> impl Iterator<Item = (&'static str, Range<usize>)> {
    const END: &str = "PRIVATE KEY-----";
    text.match_indices("-----BEGIN ").filter_map(move |(begin, _)| {
        let line = text[begin..].lines().next()?;
        let head = begin..begin + line.find(END)? + END.len();
        let end = text[head.end..].find(END).map_or(head.end, |length| head.end + length + END.len());
        Some(("a private key", begin..end))
    })
}
