//! Well-known tokens, by their form: those of gitleaks' public rules where a token can be recognized by itself, and further ones.

use std::ops::Range;

/// What the rest of a token is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CharClass {
    /// 0-9 a-f, in either case.
    Hex,
    /// Digits.
    Digits,
    /// Capital letters and digits.
    Capitals,
    /// Letters and digits.
    Alnum,
    /// Letters, digits, `_` and `-`.
    Word,
    /// The same, `.` and `=`.
    Dotted,
    /// Letters, digits, `+`, `/` and `=`.
    Base64,
}

impl CharClass {
    fn contains(self, c: char) -> bool {
        match self {
            Self::Hex => c.is_ascii_hexdigit(),
            Self::Digits => c.is_ascii_digit(),
            Self::Capitals => c.is_ascii_uppercase() || c.is_ascii_digit(),
            Self::Alnum => c.is_ascii_alphanumeric(),
            Self::Word => c.is_ascii_alphanumeric() || matches!(c, '_' | '-'),
            Self::Dotted => c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '='),
            Self::Base64 => c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='),
        }
    }
}

/// How a kind of token begins, what follows, how many of it at least, and what it is.
type TokenFormat = (&'static str, CharClass, usize, &'static str);

#[rustfmt::skip]
const TOKEN_FORMATS: [TokenFormat; 148] = [
    ("A3-", CharClass::Word, 30, "a 1Password secret key"),
    ("ops_eyJ", CharClass::Base64, 100, "a 1Password token"),
    ("ABIA", CharClass::Capitals, 16, "an AWS access key"),
    ("ACCA", CharClass::Capitals, 16, "an AWS access key"),
    ("AKIA", CharClass::Capitals, 16, "an AWS access key"),
    ("ASIA", CharClass::Capitals, 16, "an AWS access key"),
    ("ABSK", CharClass::Base64, 100, "an AWS Bedrock key"),
    ("AGE-SECRET-KEY-1", CharClass::Capitals, 20, "an age key"),
    ("AGE-SECRET-KEY-", CharClass::Word, 20, "an age key"),
    ("p8e-", CharClass::Alnum, 32, "an Adobe secret"),
    ("LTAI", CharClass::Alnum, 16, "an Alibaba access key"),
    ("sk-ant-", CharClass::Word, 40, "an Anthropic key"),
    ("AKCp", CharClass::Alnum, 60, "an Artifactory key"),
    ("cmVmd", CharClass::Alnum, 59, "an Artifactory token"),
    ("0/", CharClass::Digits, 60, "an Asana token"),
    ("ATATT3", CharClass::Dotted, 60, "an Atlassian token"),
    ("ATCTT3", CharClass::Dotted, 60, "an Atlassian token"),
    ("ATBB", CharClass::Alnum, 28, "a Bitbucket password"),
    ("4b1d", CharClass::Alnum, 38, "a ClickHouse key"),
    ("CLOJARS_", CharClass::Alnum, 50, "a Clojars token"),
    ("v1.0-", CharClass::Word, 120, "a Cloudflare key"),
    ("dapi", CharClass::Hex, 32, "a Databricks token"),
    ("dnkey-", CharClass::Word, 60, "a Defined Networking token"),
    ("doo_v1_", CharClass::Hex, 40, "a DigitalOcean token"),
    ("dop_v1_", CharClass::Hex, 24, "a DigitalOcean token"),
    ("dor_v1_", CharClass::Hex, 40, "a DigitalOcean token"),
    ("dckr_pat_", CharClass::Word, 20, "a Docker token"),
    ("dckr_oat_", CharClass::Word, 20, "a Docker token"),
    ("dp.pt.", CharClass::Alnum, 40, "a Doppler token"),
    ("dp.st.", CharClass::Dotted, 40, "a Doppler token"),
    ("sl.", CharClass::Word, 120, "a Dropbox token"),
    ("duffel_live_", CharClass::Dotted, 40, "a Duffel token"),
    ("duffel_test_", CharClass::Dotted, 40, "a Duffel token"),
    ("dt0c01.", CharClass::Dotted, 60, "a Dynatrace token"),
    ("EZAK", CharClass::Alnum, 54, "an EasyPost key"),
    ("EZTK", CharClass::Alnum, 54, "an EasyPost key"),
    ("EAAC", CharClass::Alnum, 80, "a Facebook token"),
    ("EAAM", CharClass::Alnum, 80, "a Facebook token"),
    ("fio-u-", CharClass::Dotted, 60, "a Frame.io token"),
    ("fm1a_", CharClass::Base64, 80, "a Fly.io token"),
    ("fm1r_", CharClass::Base64, 80, "a Fly.io token"),
    ("fm2_", CharClass::Base64, 80, "a Fly.io token"),
    ("fo1_", CharClass::Word, 40, "a Fly.io token"),
    ("FLWSECK_TEST-", CharClass::Word, 12, "a Flutterwave key"),
    ("FLWSECK-", CharClass::Word, 30, "a Flutterwave key"),
    ("AIza", CharClass::Word, 30, "a Google key"),
    ("GOCSPX-", CharClass::Word, 24, "a Google client secret"),
    ("ya29.", CharClass::Word, 20, "a Google token"),
    ("1//0", CharClass::Word, 40, "a Google refresh token"),
    ("ghp_", CharClass::Alnum, 20, "a GitHub token"),
    ("gho_", CharClass::Alnum, 20, "a GitHub token"),
    ("ghs_", CharClass::Alnum, 20, "a GitHub token"),
    ("ghu_", CharClass::Alnum, 20, "a GitHub token"),
    ("ghr_", CharClass::Alnum, 20, "a GitHub token"),
    ("github_pat_", CharClass::Word, 20, "a GitHub token"),
    ("glpat-", CharClass::Word, 16, "a GitLab token"),
    ("gldt-", CharClass::Word, 16, "a GitLab token"),
    ("glcbt-", CharClass::Word, 16, "a GitLab token"),
    ("glptt-", CharClass::Word, 16, "a GitLab token"),
    ("glrt-", CharClass::Dotted, 16, "a GitLab token"),
    ("glft-", CharClass::Word, 16, "a GitLab token"),
    ("glimt-", CharClass::Word, 16, "a GitLab token"),
    ("glagent-", CharClass::Word, 30, "a GitLab token"),
    ("gloas-", CharClass::Word, 30, "a GitLab token"),
    ("glsoat-", CharClass::Word, 16, "a GitLab token"),
    ("glffct-", CharClass::Word, 16, "a GitLab token"),
    ("GR1348941", CharClass::Word, 16, "a GitLab token"),
    ("glc_", CharClass::Base64, 32, "a Grafana token"),
    ("glsa_", CharClass::Word, 32, "a Grafana token"),
    ("eyJrIjoi", CharClass::Base64, 60, "a Grafana key"),
    ("figd_", CharClass::Word, 36, "a Figma token"),
    ("gsk_", CharClass::Alnum, 40, "a Groq key"),
    ("pat.", CharClass::Dotted, 50, "a Harness token"),
    ("HRKU-", CharClass::Word, 32, "a Heroku key"),
    ("hf_", CharClass::Alnum, 30, "a Hugging Face token"),
    ("api_org_", CharClass::Alnum, 30, "a Hugging Face token"),
    ("ico-", CharClass::Alnum, 32, "an Infracost key"),
    ("s-s4t2ud-", CharClass::Hex, 60, "an Intra42 secret"),
    ("s-s4t2af-", CharClass::Hex, 60, "an Intra42 secret"),
    ("lin_api_", CharClass::Alnum, 36, "a Linear key"),
    ("lsv2_pt_", CharClass::Word, 32, "a LangSmith key"),
    ("lsv2_sk_", CharClass::Word, 32, "a LangSmith key"),
    ("live_pub_", CharClass::Hex, 30, "a Lob key"),
    ("key-", CharClass::Hex, 32, "a Mailgun key"),
    ("sk.eyJ", CharClass::Dotted, 60, "a Mapbox token"),
    ("NRAK-", CharClass::Alnum, 24, "a New Relic key"),
    ("NRII-", CharClass::Word, 30, "a New Relic key"),
    ("NRJS-", CharClass::Hex, 19, "a New Relic key"),
    ("nfp_", CharClass::Alnum, 32, "a Netlify token"),
    ("ntn_", CharClass::Alnum, 40, "a Notion token"),
    ("secret_", CharClass::Alnum, 43, "a Notion token"),
    ("npm_", CharClass::Alnum, 24, "an npm token"),
    ("NuGet_", CharClass::Alnum, 40, "a NuGet key"),
    ("oy2", CharClass::Alnum, 43, "a NuGet key"),
    ("API-", CharClass::Capitals, 25, "an Octopus Deploy key"),
    ("sk-proj-", CharClass::Word, 24, "an OpenAI key"),
    ("sk-svcacct-", CharClass::Word, 24, "an OpenAI key"),
    ("sk-admin-", CharClass::Word, 24, "an OpenAI key"),
    ("sk-or-v1-", CharClass::Hex, 40, "an OpenRouter key"),
    ("sk-", CharClass::Alnum, 24, "an API key"),
    ("sha256~", CharClass::Word, 40, "an OpenShift token"),
    ("pplx-", CharClass::Alnum, 40, "a Perplexity key"),
    ("access-sandbox-", CharClass::Word, 36, "a Plaid token"),
    ("access-development-", CharClass::Word, 36, "a Plaid token"),
    ("access-production-", CharClass::Word, 36, "a Plaid token"),
    ("pscale_tkn_", CharClass::Dotted, 32, "a PlanetScale token"),
    ("pscale_oauth_", CharClass::Dotted, 32, "a PlanetScale token"),
    ("pscale_pw_", CharClass::Dotted, 32, "a PlanetScale password"),
    ("PMAK-", CharClass::Word, 50, "a Postman key"),
    ("pnu_", CharClass::Alnum, 36, "a Prefect token"),
    ("pul-", CharClass::Hex, 40, "a Pulumi token"),
    ("pypi-", CharClass::Word, 40, "a PyPI token"),
    ("rdme_", CharClass::Alnum, 60, "a ReadMe token"),
    ("rubygems_", CharClass::Hex, 40, "a RubyGems key"),
    ("r8_", CharClass::Alnum, 37, "a Replicate token"),
    ("tk-us-", CharClass::Word, 40, "a Scalingo token"),
    ("SG.", CharClass::Dotted, 40, "a SendGrid key"),
    ("xkeysib-", CharClass::Word, 60, "a Brevo key"),
    ("xsmtpsib-", CharClass::Word, 60, "a Brevo key"),
    ("sntrys_", CharClass::Base64, 40, "a Sentry token"),
    ("sntryu_", CharClass::Hex, 60, "a Sentry token"),
    ("sbp_", CharClass::Hex, 40, "a Supabase token"),
    ("sb_secret_", CharClass::Word, 20, "a Supabase key"),
    ("sm_aat_", CharClass::Alnum, 16, "a SettleMint token"),
    ("sm_pat_", CharClass::Alnum, 16, "a SettleMint token"),
    ("sm_sat_", CharClass::Alnum, 16, "a SettleMint token"),
    ("shippo_live_", CharClass::Hex, 40, "a Shippo token"),
    ("shippo_test_", CharClass::Hex, 40, "a Shippo token"),
    ("shpat_", CharClass::Alnum, 20, "a Shopify token"),
    ("shpca_", CharClass::Hex, 32, "a Shopify token"),
    ("shppa_", CharClass::Hex, 32, "a Shopify token"),
    ("shpss_", CharClass::Hex, 32, "a Shopify secret"),
    ("xapp-", CharClass::Word, 10, "a Slack token"),
    ("xoxa-", CharClass::Word, 10, "a Slack token"),
    ("xoxb-", CharClass::Word, 10, "a Slack token"),
    ("xoxe-", CharClass::Word, 20, "a Slack token"),
    ("xoxe.", CharClass::Dotted, 40, "a Slack token"),
    ("xoxo-", CharClass::Word, 20, "a Slack token"),
    ("xoxp-", CharClass::Word, 10, "a Slack token"),
    ("xoxr-", CharClass::Word, 10, "a Slack token"),
    ("xoxs-", CharClass::Word, 10, "a Slack token"),
    ("sgp_", CharClass::Word, 40, "a Sourcegraph token"),
    ("sq0atp-", CharClass::Word, 22, "a Square token"),
    ("sq0csp-", CharClass::Word, 40, "a Square secret"),
    ("tfp_", CharClass::Dotted, 40, "a Typeform token"),
    ("tskey-", CharClass::Word, 20, "a Tailscale key"),
    ("hvb.", CharClass::Word, 60, "a Vault token"),
    ("hvs.", CharClass::Word, 20, "a Vault token"),
];

/// No token is longer.
const MAX_TOKEN_LENGTH: usize = 1024;

/// True for what begins as a token that says what it is, however short it is: `ghp_xxx`.
pub(super) fn begins_as_token(text: &str) -> bool {
    let begins = |begin: &str| begin.ends_with('_') || begin.len() > 4 && begin.ends_with('-');
    TOKEN_FORMATS.iter().any(|(begin, ..)| begins(begin) && text.len() > begin.len() && text.starts_with(begin))
}

/// Tokens in a text, with what they are.
#[must_use]
pub fn tokens(text: &str) -> Vec<(&'static str, Range<usize>)> {
    let mut found = Vec::new();
    let mut last = ' ';
    let mut until = 0;
    for (at, c) in text.char_indices() {
        let begins = !(last.is_ascii_alphanumeric() || matches!(last, '_' | '-'));
        last = c;
        if at < until || !begins || !c.is_ascii_alphanumeric() {
            continue;
        }
        if let Some((kind, end)) = by_prefix(text, at).or_else(|| by_format(text, at)) {
            until = end;
            found.push((kind, at..end));
        }
    }
    found
}

/// What is looked at of a text for one token: no more, so that the work grows with the text only.
fn window(text: &str, at: usize) -> &str {
    &text[at..text.floor_char_boundary(text.len().min(at + 4 * MAX_TOKEN_LENGTH))]
}

fn by_prefix(text: &str, at: usize) -> Option<(&'static str, usize)> {
    let rest = window(text, at);
    let fits = |form: &&TokenFormat| {
        let (begin, of, least, _) = form;
        rest.strip_prefix(begin).is_some_and(|body| {
            let end = body.find(|c| !of.contains(c)).unwrap_or(body.len());
            let whole = !body[end..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
            // So much is data of another kind. Words that are joined are no token.
            let body = &body[..end];
            let joined = body.contains(['_', '-']) && !body.bytes().any(|byte| byte.is_ascii_digit());
            // A digest may begin as a key does.
            let is_digest = is_hex(begin) && is_hex(body);
            (*least..=MAX_TOKEN_LENGTH).contains(&end) && whole && !joined && !is_digest
        })
    };
    let (begin, of, _, kind) = TOKEN_FORMATS.iter().filter(|form| rest.starts_with(form.0)).find(fits)?;
    let body = &rest[begin.len()..];
    let length = body.find(|c| !of.contains(c)).unwrap_or(body.len());
    // The end of a sentence is no part of it.
    let length = body[..length].trim_end_matches(['.', '=', '-']).len().max(1);
    Some((kind, at + begin.len() + length))
}

/// Digits and small letters up to `f`, as digests are written.
fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Tokens whose form has a part in its middle, or at its end.
fn by_format(text: &str, at: usize) -> Option<(&'static str, usize)> {
    let rest = window(text, at);
    let run = |of: CharClass| &rest[..rest.find(|c| !of.contains(c)).unwrap_or(rest.len())];
    let alnum = run(CharClass::Alnum);
    let end = |token: &str| at + token.len();
    // A JSON web token: parts in base64 with dots between them.
    if alnum.starts_with("eyJ") {
        let token = run(CharClass::Dotted).trim_end_matches(['.', '=']);
        let (head, rest) = token.split_once('.')?;
        return (head.len() >= 16 && rest.len() >= 4).then(|| ("a JSON web token", end(token)));
    }
    // Azure: three characters, a digit, `Q~`.
    if rest.get(4..6) == Some("Q~") {
        let body = rest[6..]
            .find(|c| !(CharClass::Word.contains(c) || matches!(c, '.' | '~')))
            .map_or(rest.len(), |length| 6 + length);
        return (37..=43).contains(&body).then_some(("an Azure secret", at + body));
    }
    match alnum.len() {
        32 if alnum.chars().all(|c| CharClass::Hex.contains(c)) => {
            let tail = rest[32..].strip_prefix("-us")?;
            let digits = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
            (1..=2).contains(&digits).then_some(("a Mailchimp key", at + 35 + digits))
        }
        34 if alnum.starts_with("SK")
            && alnum[2..].chars().all(|c| CharClass::Hex.contains(c))
            && !alnum.chars().any(|c| c.is_ascii_lowercase() && !('a'..='f').contains(&c)) =>
        {
            Some(("a Twilio key", end(alnum)))
        }
        6 if rest[6..].starts_with('_') => {
            let token = run(CharClass::Word);
            (token.len() == 40 && token.ends_with("_mmk")).then(|| ("a MaxMind key", end(token)))
        }
        5..=16 if alnum.bytes().all(|byte| byte.is_ascii_digit()) => {
            let body = rest[alnum.len()..].strip_prefix(":A")?;
            let length = body.find(|c| !CharClass::Word.contains(c)).unwrap_or(body.len());
            (33..=35).contains(&length).then_some(("a Telegram token", at + alnum.len() + 2 + length))
        }
        // A Discord bot token: who, when, and the signature.
        24..=28 if alnum.starts_with(['M', 'N', 'O']) && rest[alnum.len()..].starts_with('.') => {
            let token = run(CharClass::Dotted);
            let lengths: Vec<usize> = token.split('.').map(str::len).collect();
            matches!(lengths[..], [24..=28, 6, 27..=38]).then(|| ("a Discord token", end(token)))
        }
        // Stripe: secret and restricted keys of every mode.
        2 if matches!(alnum, "sk" | "rk") => {
            let token = run(CharClass::Word);
            let body = ["_live_", "_test_", "_prod_"].iter().find_map(|mode| token[2..].strip_prefix(mode))?;
            (body.len() >= 10 && body.bytes().all(|byte| byte.is_ascii_alphanumeric()))
                .then(|| ("a Stripe key", end(token)))
        }
        _ if alnum.starts_with("EAAA") && run(CharClass::Word).len() == 64 => Some(("a Square token", at + 64)),
        5 if alnum == "whsec" => {
            let token =
                rest[..].find(|c| !(CharClass::Base64.contains(c) || c == '_')).map_or(rest, |length| &rest[..length]);
            (token.len() >= 26).then(|| ("a webhook secret", end(token)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_that_begins_as_a_key_does_is_no_key() {
        let of = |rest: &str| tokens(&format!("# body-sha256=4b1d{rest}")).len();
        assert_eq!(of(&"0123456789abcdef".repeat(4)[..60]), 0);
        assert_eq!(of("Kq3vXz81LmPw07RtYbNc5HdJ2sGfQa9uEoTi4W"), 1);
    }
}
