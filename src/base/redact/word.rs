//! What is secret inside of one word or text, whatever surrounds it.

use std::ops::Range;

use super::name::{self, Weight, weight};
use super::name_words::TERMS;
use super::shell_words;
use super::token_pattern;
use super::tokens;

/// Every secret that is one in prose too: tokens, and passwords in URLs.
pub(super) fn unmistakable(text: &str) -> Vec<Range<usize>> {
    let mut found = token_pattern::hidden(text);
    found.extend(urls(text));
    found
}

/// Every secret in a text that is recognized anywhere: tokens, `"name": "value"`, URLs.
pub(super) fn anywhere(text: &str) -> Vec<Range<usize>> {
    let mut found = unmistakable(text);
    found.extend(pairs(text));
    found.extend(manifest(text));
    found.extend(named(text));
    found.extend(calls(text));
    found.extend(objects(text));
    found
}

/// Every secret in a word: `NAME=value`, `NAME: value`, `user:password@host`, and what is recognized anywhere.
pub(super) fn hidden(word: &str) -> Vec<Range<usize>> {
    let mut found = anywhere(word);
    found.extend(assigned(word));
    found.extend(header(word));
    found.extend(login(word));
    found
}

/// True if a value can be a secret under a name of this weight.
pub(super) fn can_hold(weight: Weight, value: &str) -> bool {
    if value.is_empty() || is_reference(value) {
        return false;
    }
    match weight {
        Weight::None => false,
        Weight::Weak => !is_path(value) && !is_choice(value),
        Weight::Faint => {
            let is_known = is_contact(value) || is_package(value) || is_digest(value) || is_terms(value);
            can_hold(Weight::Weak, value) && !is_known
        }
        Weight::Strong => true,
    }
}

/// `${NAME}` and `{name}`, which say where the value comes from.
pub(super) fn is_reference(value: &str) -> bool {
    let inner = value.strip_prefix('$').unwrap_or(value).strip_prefix('{').and_then(|it| it.strip_suffix('}'));
    inner.is_some_and(|it| !it.is_empty() && it.chars().all(|c| c.is_ascii_alphanumeric() || "_:.".contains(c)))
}

/// A file. Random text may begin with a `/` too, but has capitals then and no dot.
pub(super) fn is_path(value: &str) -> bool {
    let relative = ["./", "../", "~/"].iter().any(|begin| value.starts_with(begin));
    let absolute = value.strip_prefix('/').is_some_and(|rest| {
        rest.contains('.') || (rest.contains('/') && !rest.contains(|c: char| c.is_ascii_uppercase()))
    });
    let ends = [".pem", ".key", ".crt", ".p12", ".pfx", ".jks", ".json", ".pub"];
    relative || absolute || ends.iter().any(|end| value.ends_with(end))
}

/// What switches something or chooses a way.
fn is_choice(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    is_scheme(&value) || matches!(&*value, "true" | "false" | "yes" | "no" | "on" | "off" | "none" | "null" | "0" | "1")
}

/// The number of a contact: what is secret has more digits.
fn is_contact(value: &str) -> bool {
    value.len() < 3 && value.bytes().all(|byte| byte.is_ascii_digit())
}

/// `sha256`
fn is_digest(value: &str) -> bool {
    let name = value.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
    ["sha", "md", "blake", "blake2b", "blake2s"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The terms of a license by their name, or that they are accepted.
fn is_terms(value: &str) -> bool {
    let name = value.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    TERMS.iter().any(|terms| name.eq_ignore_ascii_case(terms))
}

/// Letters and digits that were generated.
pub(super) fn is_random(value: &str) -> bool {
    const MIN_LENGTH: usize = 16;
    let count = |of: fn(&u8) -> bool| value.bytes().filter(of).count();
    let is_plain = value.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'=' | b'-'));
    is_plain && value.len() >= MIN_LENGTH && count(u8::is_ascii_digit) > 2 && count(u8::is_ascii_alphabetic) > 2
}

/// `name@1.2`
fn is_package(value: &str) -> bool {
    value.rsplit_once('@').is_some_and(|(name, version)| {
        let version = version.trim_start_matches(['v', '^', '~']);
        !name.is_empty() && version.starts_with(|c: char| c.is_ascii_digit()) && !name.contains(':')
    })
}

/// How an authorization says what kind it is.
pub(super) fn is_scheme(word: &str) -> bool {
    ["bearer", "basic", "token", "digest", "apikey", "negotiate"].iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// The name that ends a text, without what may stand before it.
fn name_at_end(text: &str) -> &str {
    &text[text.rfind(|c| !name::is_part(c)).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8))..]
}

/// The values of `NAME=value`: to the next `&` in a URL, to the end of the word behind other words, otherwise to the end.
fn assigned(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let url = text.find(['?', '#']);
    for (at, _) in text.match_indices('=') {
        let name = name_at_end(&text[..at]);
        let begin = at + 1;
        let rest = &text[begin..];
        let before = &text[..at - name.len()];
        let length = if url.is_some_and(|url| url < at) && before.ends_with(['?', '&', '#']) {
            rest.find(|c: char| c.is_whitespace() || matches!(c, '&' | '#' | '"' | '\''))
        } else if before.contains(|c: char| c.is_whitespace() || matches!(c, ';' | '|')) {
            // Behind other words it is a line of a shell.
            Some(shell_words::first_word_end(rest))
        } else {
            None
        };
        let value = &rest[..length.unwrap_or(rest.len())];
        let literal = before.trim_start_matches('-').is_empty() && name.trim_start_matches('-') == "from-literal";
        match value.find('=') {
            // Whatever it is called, it is a secret of a cluster.
            Some(equals) if literal => found.push(begin + equals + 1..begin + value.len()),
            _ if name::is_plain(name) && can_hold(weight(name), value) => found.push(begin..begin + value.len()),
            _ => {}
        }
    }
    found
}

/// The value of `NAME: value` where the name begins the text, or the value of an option: to the end, but for the scheme.
fn header(text: &str) -> Option<Range<usize>> {
    let colon = text.find(':')?;
    let name = name_at_end(&text[..colon]);
    let before = &text[..colon - name.len()];
    let begins = before.is_empty() || before.ends_with('=') || matches!(before, "-H" | "@" | "/");
    let name = name.strip_prefix("-H").unwrap_or(name);
    let rest = &text[colon + 1..];
    let value = rest.trim_start();
    let is_spaced = value.len() < rest.len();
    let weight = weight(name);
    if !begins || !name::is_plain(name) || !can_hold(weight, value) || (!is_spaced && is_place(value)) {
        return None;
    }
    let begin = text.len() - value.len();
    let scheme = value.split_whitespace().next().filter(|word| is_scheme(word)).map_or("", |word| word);
    let secret = value[scheme.len()..].trim();
    let begin = begin + scheme.len() + (value.len() - scheme.len() - value[scheme.len()..].trim_start().len());
    (!secret.is_empty()).then_some(begin..begin + secret.len())
}

/// What follows a `:` that belongs to an image, a mount, or an address.
fn is_place(value: &str) -> bool {
    let is_version = value.trim_start_matches('v').chars().all(|c| c.is_ascii_digit() || c == '.');
    value.starts_with('/') || is_version || matches!(value, "latest" | "stable" | "main")
}

/// The values of pairs with quotes: `"name": "value"`, `name: 'value'`, `"name": 1`, `'name' => 'value'`, `["name"] "value"`,
/// `['name'] = 'value'`, `PASSWORD('value')`.
fn pairs(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, sign) in text.match_indices([':', '=', ']', '(']) {
        let before = text[..at].trim_end().trim_end_matches(']');
        let key = before.trim_end_matches(['"', '\'', '\\']);
        let name = name_at_end(key);
        let is_quoted = key.len() < before.len();
        if name.is_empty() || !name::is_plain(name) || weight(name) == Weight::None {
            continue;
        }
        if (sign == "(" && !name.eq_ignore_ascii_case("password")) || (sign == "]" && !is_quoted) {
            continue;
        }
        // `"password:"` ends there.
        if !is_quoted && sign != "]" && text[at + 1..].starts_with('"') && is_within_quotes(&text[..at]) {
            continue;
        }
        let rest = text[at + sign.len()..].trim_start_matches('>').trim_start();
        let begin = text.len() - rest.len();
        let bare = || Some(rest).filter(|_| is_quoted && matches!(sign, ":" | "=")).and_then(bare);
        let value = quoted(rest).or_else(bare);
        let Some(value) = value.map(|value| begin + value.start..begin + value.end) else { continue };
        if can_hold(weight(name), &text[value.clone()]) && !text[value.clone()].trim().is_empty() {
            found.push(value);
        }
    }
    found
}

/// A quote is open at the end of the text.
fn is_within_quotes(text: &str) -> bool {
    let quotes = text.match_indices('"').filter(|(at, _)| !text[..*at].ends_with('\\'));
    quotes.count() % 2 == 1
}

/// The last argument in quotes of `auth("user", "secret")`, `login('secret')` and `changeUserPassword("user", "secret")`.
fn calls(text: &str) -> Vec<Range<usize>> {
    let argument = |(at, _): (usize, &str)| {
        let name = name_at_end(&text[..at]).rsplit('.').next().unwrap_or_default();
        let takes = matches!(name, "auth" | "login" | "authenticate") || name.ends_with("Password");
        let begin = at + 1;
        let inside = &text[begin..begin + text[begin..].find(')').filter(|_| takes)?];
        let close = inside.trim_end().strip_suffix(['"', '\''])?;
        let quote = inside[close.len()..].chars().next()?;
        let open = close.rfind(quote)? + 1;
        Some(begin + open..begin + close.trim_end_matches('\\').len()).filter(|it| !it.is_empty())
    };
    text.match_indices('(').filter_map(argument).collect()
}

/// The values of `"stringData":{"name":"value"}`, whatever their names.
fn manifest(text: &str) -> Vec<Range<usize>> {
    let Some(begin) = text.find("stringData").map(|at| at + "stringData".len()) else { return Vec::new() };
    let end = text[begin..].find('}').map_or(text.len(), |length| begin + length);
    let value = |(at, _): (usize, &str)| {
        let rest = text[begin + at + 1..end].trim_start();
        quoted(rest).map(|value| end - rest.len() + value.start..end - rest.len() + value.end)
    };
    text[begin..end].match_indices(':').filter_map(value).collect()
}

/// The values of `"name":"TOKEN","value":"hunter2"` and `name=TOKEN,value=hunter2`, as containers are given their variables.
fn named(text: &str) -> Vec<Range<usize>> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let value = |(at, it): (usize, &str)| {
        let (before, rest) = (&text[..at], &text[at + it.len()..]);
        // What is before: a name, and `name` before it.
        let name = name_at_end(before.trim_end_matches(|c: char| !is_word(c)));
        let key = before[..before.rfind(name)?].trim_end_matches(|c: char| !is_word(c));
        let is_named = name::is_plain(name) && ["name", "Name", "key", "Key"].contains(&name_at_end(key));
        let begin =
            text.len() - rest.trim_start_matches(['"', '\'', '\\', ' ']).strip_prefix([':', '='])?.trim_start().len();
        let value = quoted(&text[begin..]).or_else(|| bare(&text[begin..]))?;
        let value = begin + value.start..begin + value.end;
        (is_named && can_hold(weight(name), &text[value.clone()])).then_some(value)
    };
    ["value", "Value"].iter().flat_map(|word| text.match_indices(word)).filter_map(value).collect()
}

/// What `secret,id=name,data=value` of a virtual machine has behind `data`.
fn objects(text: &str) -> Vec<Range<usize>> {
    let value = |(at, begin): (usize, &str)| {
        let starts = text[..at].chars().next_back().is_none_or(|c| !name::is_part(c) && c != '/');
        let begin = at + begin.len();
        let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\');
        let end = text[begin..].find(is_end).map_or(text.len(), |length| begin + length);
        let data = [",data=", "data="].iter().find_map(|key| {
            let found = text[begin..end].find(key).filter(|found| *found == 0 || key.starts_with(','))?;
            Some(begin + found + key.len())
        })?;
        let length = text[data..end].find(',').unwrap_or(end - data);
        (starts && length > 0).then_some(data..data + length)
    };
    text.match_indices("secret,").filter_map(value).collect()
}

/// The inside of the quotes that a text begins with, which may be escaped themselves.
fn quoted(text: &str) -> Option<Range<usize>> {
    let open = text.find(['"', '\'']).filter(|&open| text[..open].bytes().all(|byte| byte == b'\\'))?;
    let fence = &text[..=open];
    let begin = fence.len();
    let mut at = begin;
    while let Some(length) = text[at..].find(fence) {
        let end = at + length;
        let slashes = text[begin..end].len() - text[begin..end].trim_end_matches('\\').len();
        if slashes.is_multiple_of(2) {
            return Some(begin..end);
        }
        at = end + fence.len();
    }
    None
}

/// A number or a word behind a quoted name.
fn bare(text: &str) -> Option<Range<usize>> {
    let end = text.find(|c: char| c.is_whitespace() || ",}])\"'".contains(c)).unwrap_or(text.len());
    (end > 0 && !is_choice(&text[..end]) && !text.starts_with(['{', '['])).then_some(0..end)
}

/// `scheme://user:password@host`, a lone token before the `@`, and addresses that are secrets themselves.
fn urls(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("://") {
        let begin = at + 3;
        let blank = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`');
        let end = text[begin..].find(blank).map_or(text.len(), |length| begin + length);
        let all = &text[begin..end];
        let authority = all.split(['/', '?', '#']).next().unwrap_or_default();
        if let Some(user) = authority.rfind('@').or_else(|| unencoded(all, authority)) {
            match all[..user].find(':') {
                // The token is the name, and the password says so.
                Some(colon) if all[colon + 1..user] == *"x-oauth-basic" => found.push(begin..begin + colon),
                Some(colon) if colon + 1 == user && colon >= 20 => found.push(begin..begin + colon),
                Some(colon) => found.push(begin + colon + 1..begin + user),
                None if user >= 20 || tokens::begins_as_token(&all[..user]) => found.push(begin..begin + user),
                None => {}
            }
        }
        // The name of a stream is what its sender shows.
        if text[..at].ends_with("rtmp") || text[..at].ends_with("rtmps") {
            let is_end = |c: char| !c.is_ascii_alphanumeric() && !"/_-.:=".contains(c);
            let path = all.split(is_end).next().unwrap_or_default();
            let key = path.rsplit('/').next().unwrap_or_default();
            if path.split('/').count() > 2 && !key.is_empty() {
                found.push(begin + path.len() - key.len()..begin + path.len());
            }
        }
        if let Some(path) = ["hooks.slack.com/services/", "discord.com/api/webhooks/", "api.telegram.org/bot"]
            .iter()
            .find(|path| all.starts_with(**path))
        {
            let rest = &all[path.len()..];
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"/_-:".contains(c)).unwrap_or(rest.len());
            found.push(begin + path.len()..begin + path.len() + length);
        }
    }
    found.retain(|range| !is_reference(&text[range.clone()]));
    found
}

/// Where the `@` is behind a password that has a `/`, `?` or `#` in it.
fn unencoded(all: &str, authority: &str) -> Option<usize> {
    let (_, port) = authority.split_once(':')?;
    if port.chars().all(|c| c.is_ascii_digit()) && !port.is_empty() {
        return None;
    }
    all.rfind('@')
}

/// `user:password@host` without a scheme.
fn login(text: &str) -> Option<Range<usize>> {
    // `:pserver:user:password@host:/path` has its method before it.
    let method = text.strip_prefix(':').and_then(|rest| rest.find(':')).map_or(0, |length| length + 2);
    let (user, rest) = text[method..].split_once(':')?;
    let user = user.rsplit('=').next().unwrap_or_default();
    let at = rest.rfind('@')?;
    let (password, host) = (&rest[..at], &rest[at + 1..]);
    let is_name = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    // `:1080` is a port of this machine.
    let is_local = host.strip_prefix(':').is_some_and(|port| port.starts_with(|c: char| c.is_ascii_digit()));
    let host = host.split([':', '/', '(', '?']).next().unwrap_or_default();
    // `domain/user:password@host`, but not `team/app:1.2@prod`
    let is_release = !host.contains('.') && is_place(password);
    let domain = user.split_once(['/', '\\']).filter(|(of, _)| is_name(of) && !is_release);
    let user = domain.map_or(user, |(_, user)| user);
    let is_package = ["npm", "jsr", "workspace", "patch", "github", "link"].contains(&user);
    let is_version =
        host.starts_with("sha") || host.trim_matches(|c: char| c.is_ascii_digit() || "^~v".contains(c)) == ".";
    let begin = text.len() - rest.len();
    let plain = is_name(user)
        && !is_package
        && (is_local || is_name(host) && !is_version && !host.chars().all(|c| c.is_ascii_digit()));
    (plain && !password.is_empty() && !password.contains(char::is_whitespace) && !password.starts_with('/'))
        .then_some(begin..begin + at)
}
