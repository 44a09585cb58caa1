//! Names for what differs from run to run and from machine to machine.

/// The text with `number` replaced where it is a word of its own.
pub(super) fn replaced(text: &str, number: &str, name: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(number) {
        let (before, after) = (&rest[..at], &rest[at + number.len()..]);
        let inside = |c: char| c.is_ascii_digit();
        out.push_str(before);
        let alone = !before.ends_with(inside) && !after.starts_with(inside);
        out.push_str(if alone { name } else { number });
        rest = after;
    }
    out + rest
}

/// The text with a program called by its bare name in place of its whole path, which differs from machine to machine.
pub(super) fn without_directory(text: &str, program: &str) -> String {
    let ending = format!("/{program}");
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(&ending) {
        let end = at + ending.len();
        let start =
            rest[..at].rfind(|c: char| !c.is_alphanumeric() && !"~/._-+".contains(c)).map_or(0, |last| last + 1);
        let whole =
            rest[start..end].starts_with('/') && !rest[end..].starts_with(|c: char| c.is_alphanumeric() || c == '/');
        out.push_str(if whole { &rest[..start] } else { &rest[..at] });
        out.push_str(if whole { program } else { &ending });
        rest = &rest[end..];
    }
    out + rest
}

/// A line with names for times, spans and sizes.
pub(super) fn named(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    let mut fresh = true;
    while let Some(c) = rest.chars().next() {
        let found = if fresh {
            release(rest)
                .or_else(|| time(rest))
                .or_else(|| fingerprint(rest))
                .or_else(|| span(rest))
                .or_else(|| size(rest))
        } else {
            None
        };
        if let Some((length, name)) = found {
            out.push_str(name);
            rest = &rest[length..];
            fresh = false;
        } else {
            out.push(c);
            fresh = !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '_' | '/' | '`');
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// `20261120T103045Z-1a2b3c4d`
fn release(text: &str) -> Option<(usize, &'static str)> {
    const SHAPE: &[u8] = b"00000000T000000Z-xxxxxxxx";
    let fits = |(byte, shape): (u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        b'x' => byte.is_ascii_hexdigit(),
        exact => byte == *exact,
    };
    (text.len() >= SHAPE.len() && text.bytes().zip(SHAPE).all(fits)).then_some((SHAPE.len(), "RELEASE"))
}

/// `SHA256:` and 43 characters, which each key has others of.
fn fingerprint(text: &str) -> Option<(usize, &'static str)> {
    let digits = text.strip_prefix("SHA256:")?;
    let count = digits.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')).count();
    (count == 43).then_some((50, "FINGERPRINT"))
}

/// A line with a name for every number that is called a pid.
pub(super) fn with_pids(line: &str) -> String {
    let mut line = line.to_owned();
    for word in ["pid ", "PID ", "PID: ", "worker "] {
        let mut from = 0;
        while let Some(at) = line[from..].find(word) {
            let start = from + at + word.len();
            let end = start + line[start..].find(|c: char| !c.is_ascii_digit()).unwrap_or(line.len() - start);
            if end > start {
                line.replace_range(start..end, "PID");
            }
            from = start;
        }
    }
    line
}

/// A line with a name for the next time of a job: the time alone if it is today, else with the day.
pub(super) fn with_next_run(line: &str) -> String {
    const BEFORE: &str = "it runs again at ";
    match line.split_once(BEFORE) {
        Some((job, when)) => {
            let (time, zone) =
                when.split_once(" (").map_or((when, String::new()), |(time, it)| (time, format!(" ({it}")));
            match time.contains(|c: char| !c.is_ascii_digit() && !"-: ".contains(c)) {
                true => line.to_owned(),
                false => format!("{job}{BEFORE}TIME{zone}"),
            }
        }
        None => line.to_owned(),
    }
}

/// A line with a name for every version of an environment: `20261120_130211`, and its author.
pub(super) fn with_versions(line: &str, operator: &str) -> String {
    const SHAPE: &[u8] = b"00000000_000000";
    let fits = |text: &[u8]| {
        text.len() >= SHAPE.len()
            && SHAPE
                .iter()
                .zip(text)
                .all(|(shape, byte)| if *shape == b'0' { byte.is_ascii_digit() } else { shape == byte })
    };
    let mut line = line.to_owned();
    while let Some(at) = (0..line.len()).find(|at| fits(&line.as_bytes()[*at..])) {
        let mut end = at + SHAPE.len();
        if line[end..].starts_with('_') {
            end += 1 + line[end + 1..].find(|c: char| !c.is_ascii_digit()).unwrap_or(line.len() - end - 1);
        }
        line.replace_range(at..end, "VERSION");
    }
    for before in ["By: ", "TIME  ", "TIME by "] {
        line = line.replace(&format!("{before}{operator}"), &format!("{before}OPERATOR"));
    }
    line
}

/// A line with two blanks at most between words. What is marked in a line stays below it.
pub(super) fn squeezed(line: &str) -> String {
    let start = line.len() - line.trim_start().len();
    if line[start..].starts_with("| ") {
        return line.to_owned();
    }
    let mut out = line[..start].to_owned();
    for c in line[start..].chars() {
        if c != ' ' || !out[start..].ends_with("  ") {
            out.push(c);
        }
    }
    out.trim_end().to_owned()
}

/// `2026-11-20 13:02:11` or RFC 3339.
fn time(text: &str) -> Option<(usize, &'static str)> {
    const SHAPE: &[u8] = b"0000-00-00_00:00:00";
    let bytes = text.as_bytes();
    let fits = bytes.len() >= SHAPE.len()
        && SHAPE.iter().zip(bytes).all(|(shape, byte)| match shape {
            b'0' => byte.is_ascii_digit(),
            b'_' => matches!(byte, b' ' | b'T'),
            shape => shape == byte,
        });
    let rest = text.get(SHAPE.len()..)?;
    let fraction = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != 'Z').unwrap_or(rest.len());
    fits.then_some((SHAPE.len() + fraction, "TIME"))
}

/// `450ms`, `3s`, `5m 12s`, `2h 3m`, `1d 2h`.
fn span(text: &str) -> Option<(usize, &'static str)> {
    let first = number_with(text, &["ms", "s", "m", "h", "d"])?;
    let second = text[first..].strip_prefix(' ').and_then(|rest| number_with(rest, &["s", "m", "h"]));
    Some((first + second.map_or(0, |length| length + 1), "SPAN"))
}

/// `1.5 MiB`.
fn size(text: &str) -> Option<(usize, &'static str)> {
    number_with(text, &[" B", " KiB", " MiB", " GiB"]).map(|length| (length, "SIZE"))
}

/// The length of a number with one of the units, if it ends there.
fn number_with(text: &str, units: &[&str]) -> Option<usize> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let rest = &text[digits..];
    let unit = units.iter().find(|unit| {
        rest.strip_prefix(**unit).is_some_and(|after| !after.starts_with(|c: char| c.is_ascii_alphanumeric()))
    })?;
    (digits > 0).then_some(digits + unit.len())
}

#[test]
fn what_differs_from_run_to_run_has_a_name() {
    for (given, normal_form) in [
        ("0  api    online  5m 12s  1.5 MiB", "0  api    online  SPAN  SIZE"),
        ("   started 2026-11-20 13:02:11 ago", "   started TIME ago"),
        (r#"{"at":"2025-11-20T12:02:11.5Z","up":2}"#, r#"{"at":"TIME","up":2}"#),
        ("api-10s took 450ms, not 10sec", "api-10s took SPAN, not 10sec"),
        ("port 8000 B", "port SIZE"),
    ] {
        assert_eq!(named(given), normal_form);
    }
    assert_eq!(without_directory("in /usr/bin/node x", "node"), "in node x");
    assert_eq!(without_directory("~/bin/node /a/nodes", "node"), "~/bin/node /a/nodes");
    assert_eq!(with_pids("pid 12, worker 13 (PID: 14), pid x"), "pid PID, worker PID (PID: PID), pid x");
    for when in ["04:00", "2026-11-29 04:00"] {
        assert_eq!(
            with_next_run(&format!("completed a (0); it runs again at {when}")),
            "completed a (0); it runs again at TIME"
        );
    }
    assert_eq!(with_next_run("it runs again at 2026-11-29 04:00 (UTC)"), "it runs again at TIME (UTC)");
    assert_eq!(with_next_run("it runs again at a time"), "it runs again at a time");
    assert_eq!(squeezed("  a    b  c "), "  a  b  c");
    assert_eq!(squeezed("  |     ^^^"), "  |     ^^^");
    assert_eq!(replaced("pid 12, 123, 12", "12", "PID"), "pid PID, 123, PID");
}
