//! How much of what is planted `secrets scan` finds, and that it does not cry over what is innocent.

use serde::Deserialize;
use tetra::base::diagnostic::Severity;
use tetra::config::secret_scan::{self, Syntax};

#[derive(Deserialize)]
struct Planted {
    plant: Vec<Plant>,
}

#[derive(Deserialize, PartialEq, Eq, Clone, Copy, Debug)]
#[serde(rename_all = "lowercase")]
enum Part {
    Tuned,
    Held,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plant {
    kind: String,
    part: Part,
    file: String,
    text: String,
    secret: String,
}

/// Random characters, the same in every run.
struct Rng(u64);

impl Rng {
    fn one_of(&mut self, all: &str) -> char {
        // A step of Knuth's MMIX generator; its upper bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let all: Vec<char> = all.chars().collect();
        all[usize::try_from(self.0 >> 33).expect("small") % all.len()]
    }

    fn many(&mut self, all: &str, count: usize) -> String {
        (0..count).map(|_| self.one_of(all)).collect()
    }
}

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

fn alphabet(name: &str) -> String {
    match name {
        "letter" => LETTERS.to_owned(),
        "alnum" => format!("{LETTERS}0123456789"),
        "word" => format!("{LETTERS}0123456789_-"),
        "azure" => format!("{LETTERS}0123456789_~"),
        "base64" => format!("{LETTERS}0123456789+/"),
        "hex" => "0123456789abcdef".to_owned(),
        "digit" => "0123456789".to_owned(),
        "capital" => "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".to_owned(),
        "base32" => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".to_owned(),
        "bech32" => "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".to_owned(),
        other => panic!("no alphabet {other}"),
    }
}

/// A secret as it is described: `{alnum:36}`, `PEM:RSA `, or as it is.
fn composed(described: &str, dice: &mut Rng) -> String {
    if let Some((pem, of)) = described.strip_prefix("PEM").and_then(|rest| rest.split_once(':')) {
        let lines: Vec<String> = (0..4).map(|_| dice.many(&alphabet("base64"), 64)).collect();
        let key = format!("-----{} {of}PRIVATE KEY-----\n{}\n-----END {of}PRIVATE KEY-----", "BEGIN", lines.join("\n"));
        return if pem == "1" { key.replace('\n', "\\n") } else { key };
    }
    let mut out = String::new();
    let mut rest = described;
    while let Some((before, after)) = rest.split_once('{') {
        let (part, behind) = after.split_once('}').expect("closed");
        let (name, count) = part.split_once(':').expect("a count");
        let count = count.parse().expect("a number");
        out.push_str(before);
        match name {
            "jwt" => {
                let (head, body) = (dice.many(LETTERS, 17), dice.many(LETTERS, 40));
                out.push_str(&format!("ey{}{head}.ey{}{body}.{}", "J", "J", dice.many(&alphabet("word"), count)));
            }
            name => out.push_str(&dice.many(&alphabet(name), count)),
        }
        rest = behind;
    }
    out + rest
}

#[test]
fn planted_secrets_are_found() {
    let planted: Planted = toml::from_str(include_str!("../../vectors/planted.toml")).expect("sound");
    for part in [Part::Tuned, Part::Held] {
        let all: Vec<(usize, &Plant)> = planted.plant.iter().enumerate().filter(|(_, it)| it.part == part).collect();
        let missed: Vec<&str> = all
            .iter()
            .filter(|(number, plant)| {
                let secret = composed(&plant.secret, &mut Rng(u64::try_from(*number).expect("small") + 1));
                let text = plant.text.replace("@@", &secret);
                let begin = text.find(&secret).expect("it is there");
                let span = begin..begin + secret.len();
                let found = secret_scan::scan(&plant.file, &text, Syntax::of(&plant.file));
                let hit = |it: &secret_scan::SecretFinding| it.span.start < span.end && span.start < it.span.end;
                !found.iter().any(|it| it.severity() == Severity::Error && hit(it))
            })
            .map(|(_, plant)| plant.kind.as_str())
            .collect();
        let recall = 1.0 - missed.len() as f64 / all.len() as f64;
        assert!(all.len() >= 50, "{part:?}: {}", all.len());
        assert!(recall >= 0.95, "{part:?}: {recall:.3} of {}; missed {missed:?}", all.len());
    }
}

#[derive(Deserialize)]
struct Innocent {
    innocent: Vec<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    file: String,
    text: String,
}

#[test]
fn examples_placeholders_and_programs_are_passed_over() {
    let innocent: Innocent = toml::from_str(include_str!("../../vectors/innocent.toml")).expect("sound");
    let mut wrong = Vec::new();
    for Text { file, text } in &innocent.innocent {
        // So that no scanner of other people takes a documented example for a leak.
        let text = text.replace('¦', "");
        for finding in secret_scan::scan(file, &text, Syntax::of(file)) {
            wrong.push(format!("{file}: {} {}", finding.what, &text[finding.span]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
