//! Secrets recognized by their context: passwords in addresses, addresses that are secrets, private keys.

use std::ops::Range;

use super::values;

/// No private key is longer.
const MAX_KEY_LENGTH: usize = 16 << 10;

/// URLs that are secrets by themselves: their knowledge is enough to post there.
pub(super) fn webhooks(text: &str) -> impl Iterator<Item = (&'static str, Range<usize>)> {
    const HOOKS: [(&str, usize, &str); 8] = [
        ("hooks.slack.com/services/", 30, "a Slack webhook"),
        ("hooks.slack.com/workflows/", 30, "a Slack webhook"),
        ("hooks.slack.com/triggers/", 30, "a Slack webhook"),
        ("discord.com/api/webhooks/", 50, "a Discord webhook"),
        ("discordapp.com/api/webhooks/", 50, "a Discord webhook"),
        (".webhook.office.com/webhookb2/", 60, "a Teams webhook"),
        ("hooks.zapier.com/hooks/catch/", 12, "a Zapier webhook"),
        ("outlook.office.com/webhook/", 60, "a Teams webhook"),
    ];
    HOOKS.iter().flat_map(move |(begin, least, kind)| {
        text.match_indices(begin).filter_map(move |(at, _)| {
            let start = at + begin.len();
            let body = &text[start..];
            let length = body
                .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '@')))
                .unwrap_or(body.len());
            let path = &body[..length];
            (length >= *least && path.contains('/') && !values::is_example(path))
                .then_some((*kind, start..start + length))
        })
    })
}

pub(super) fn private_keys(text: &str) -> impl Iterator<Item = (&'static str, Range<usize>)> {
    const END: &str = "PRIVATE KEY";
    let pem = text.match_indices("-----BEGIN ").filter_map(move |(begin, _)| {
        let line = text[begin..].lines().next()?;
        let head = line.find(END)? + END.len();
        let head = begin + head + line[head..].find("-----")? + 5;
        let body = &text[head..text.floor_char_boundary(text.len().min(head + MAX_KEY_LENGTH))];
        let end = body.find("-----END").unwrap_or(body.len());
        // Without anything that is a key behind it is only talked about.
        let material = body[..body.floor_char_boundary(end.min(256))].replace("\\n", " ").replace("\\r", " ");
        let material = material.trim_start_matches(|c: char| c.is_whitespace() || "\"'`+\\,|".contains(c));
        let length = material
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')))
            .unwrap_or(material.len());
        let is_key =
            length >= 24 || ["Proc-Type", "DEK-Info", "Comment:", "Version:"].iter().any(|it| material.starts_with(it));
        let end = body[end.min(body.len())..].find(END).map_or(head, |length| head + end + length + END.len());
        is_key.then_some(("a private key", begin..end))
    });
    let putty = text.match_indices("PuTTY-User-Key-File-").filter_map(move |(begin, _)| {
        let key = &text[begin..text.floor_char_boundary(text.len().min(begin + MAX_KEY_LENGTH))];
        let at = key.find("Private-Lines:")?;
        Some(("a private key", begin + at..begin + at + key[at..].find("Private-MAC").unwrap_or(14)))
    });
    pem.chain(putty)
}

/// `scheme://user:password@host`
pub(super) fn url_passwords(text: &str) -> impl Iterator<Item = (&'static str, Range<usize>)> {
    /// What documentations write there.
    const USUAL: [&str; 14] = [
        "password", "pass", "passwd", "pwd", "pw", "user", "username", "secret", "token", "guest", "test", "foo",
        "bar", "p",
    ];
    text.match_indices("://").filter_map(move |(at, _)| {
        let begin = at + 3;
        let end = text[begin..].find(|c: char| c.is_whitespace() || "\"'/?#<>,`\\|()".contains(c));
        let authority = &text[begin..end.map_or(text.len(), |length| begin + length)];
        let (user, host) = authority.rsplit_once('@')?;
        let (name, password) = user.split_once(':')?;
        let start = begin + name.len() + 1;
        let is_markup = password.contains(['<', '&', ';', '$', '+']) && password.len() < 20;
        let is_usual =
            is_markup || USUAL.contains(&&*password.to_ascii_lowercase()) || (password == name && password.len() < 8);
        let is_example = host.split(':').next().is_some_and(|host| {
            host.ends_with("example.com")
                || host.ends_with("example.org")
                || host.ends_with(".example")
                || host == "host"
        });
        let plain = !password.is_empty()
            && !host.is_empty()
            && !is_usual
            && !is_example
            && !values::is_reference(password)
            && !values::is_placeholder(password)
            && !password.contains(['{', '}', '['])
            && !password.chars().all(|c| matches!(c, '*' | 'x' | '.' | 'X'));
        plain.then(|| ("a password in a URL", start..start + password.len()))
    })
}
