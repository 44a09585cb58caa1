//! Well-known tokens, by their form: those of gitleaks' public rules where a token can be told by itself, and further ones.

use std::ops::Range;

/// What the rest of a token is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
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

impl Of {
    fn holds(self, c: char) -> bool {
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
type Form = (&'static str, Of, usize, &'static str);

#[rustfmt::skip]
const FORMS: [Form; 148] = [
    ("A3-", Of::Word, 30, "a 1Password secret key"),
    ("ops_eyJ", Of::Base64, 100, "a 1Password token"),
    ("ABIA", Of::Capitals, 16, "an AWS access key"),
    ("ACCA", Of::Capitals, 16, "an AWS access key"),
    ("AKIA", Of::Capitals, 16, "an AWS access key"),
    ("ASIA", Of::Capitals, 16, "an AWS access key"),
    ("ABSK", Of::Base64, 100, "an AWS Bedrock key"),
    ("AGE-SECRET-KEY-1", Of::Capitals, 20, "an age key"),
    ("AGE-SECRET-KEY-", Of::Word, 20, "an age key"),
    ("p8e-", Of::Alnum, 32, "an Adobe secret"),
    ("LTAI", Of::Alnum, 16, "an Alibaba access key"),
    ("sk-ant-", Of::Word, 40, "an Anthropic key"),
    ("AKCp", Of::Alnum, 60, "an Artifactory key"),
    ("cmVmd", Of::Alnum, 59, "an Artifactory token"),
    ("0/", Of::Digits, 60, "an Asana token"),
    ("ATATT3", Of::Dotted, 60, "an Atlassian token"),
    ("ATCTT3", Of::Dotted, 60, "an Atlassian token"),
    ("ATBB", Of::Alnum, 28, "a Bitbucket password"),
    ("4b1d", Of::Alnum, 38, "a ClickHouse key"),
    ("CLOJARS_", Of::Alnum, 50, "a Clojars token"),
    ("v1.0-", Of::Word, 120, "a Cloudflare key"),
    ("dapi", Of::Hex, 32, "a Databricks token"),
    ("dnkey-", Of::Word, 60, "a Defined Networking token"),
    ("doo_v1_", Of::Hex, 40, "a DigitalOcean token"),
    ("dop_v1_", Of::Hex, 24, "a DigitalOcean token"),
    ("dor_v1_", Of::Hex, 40, "a DigitalOcean token"),
    ("dckr_pat_", Of::Word, 20, "a Docker token"),
    ("dckr_oat_", Of::Word, 20, "a Docker token"),
    ("dp.pt.", Of::Alnum, 40, "a Doppler token"),
    ("dp.st.", Of::Dotted, 40, "a Doppler token"),
    ("sl.", Of::Word, 120, "a Dropbox token"),
    ("duffel_live_", Of::Dotted, 40, "a Duffel token"),
    ("duffel_test_", Of::Dotted, 40, "a Duffel token"),
    ("dt0c01.", Of::Dotted, 60, "a Dynatrace token"),
    ("EZAK", Of::Alnum, 54, "an EasyPost key"),
    ("EZTK", Of::Alnum, 54, "an EasyPost key"),
    ("EAAC", Of::Alnum, 80, "a Facebook token"),
    ("EAAM", Of::Alnum, 80, "a Facebook token"),
    ("fio-u-", Of::Dotted, 60, "a Frame.io token"),
    ("fm1a_", Of::Base64, 80, "a Fly.io token"),
    ("fm1r_", Of::Base64, 80, "a Fly.io token"),
    ("fm2_", Of::Base64, 80, "a Fly.io token"),
    ("fo1_", Of::Word, 40, "a Fly.io token"),
    ("FLWSECK_TEST-", Of::Word, 12, "a Flutterwave key"),
    ("FLWSECK-", Of::Word, 30, "a Flutterwave key"),
    ("AIza", Of::Word, 30, "a Google key"),
    ("GOCSPX-", Of::Word, 24, "a Google client secret"),
    ("ya29.", Of::Word, 20, "a Google token"),
    ("1//0", Of::Word, 40, "a Google refresh token"),
    ("ghp_", Of::Alnum, 20, "a GitHub token"),
    ("gho_", Of::Alnum, 20, "a GitHub token"),
    ("ghs_", Of::Alnum, 20, "a GitHub token"),
    ("ghu_", Of::Alnum, 20, "a GitHub token"),
    ("ghr_", Of::Alnum, 20, "a GitHub token"),
    ("github_pat_", Of::Word, 20, "a GitHub token"),
    ("glpat-", Of::Word, 16, "a GitLab token"),
    ("gldt-", Of::Word, 16, "a GitLab token"),
    ("glcbt-", Of::Word, 16, "a GitLab token"),
    ("glptt-", Of::Word, 16, "a GitLab token"),
    ("glrt-", Of::Dotted, 16, "a GitLab token"),
    ("glft-", Of::Word, 16, "a GitLab token"),
    ("glimt-", Of::Word, 16, "a GitLab token"),
    ("glagent-", Of::Word, 30, "a GitLab token"),
    ("gloas-", Of::Word, 30, "a GitLab token"),
    ("glsoat-", Of::Word, 16, "a GitLab token"),
    ("glffct-", Of::Word, 16, "a GitLab token"),
    ("GR1348941", Of::Word, 16, "a GitLab token"),
    ("glc_", Of::Base64, 32, "a Grafana token"),
    ("glsa_", Of::Word, 32, "a Grafana token"),
    ("eyJrIjoi", Of::Base64, 60, "a Grafana key"),
    ("figd_", Of::Word, 36, "a Figma token"),
    ("gsk_", Of::Alnum, 40, "a Groq key"),
    ("pat.", Of::Dotted, 50, "a Harness token"),
    ("HRKU-", Of::Word, 32, "a Heroku key"),
    ("hf_", Of::Alnum, 30, "a Hugging Face token"),
    ("api_org_", Of::Alnum, 30, "a Hugging Face token"),
    ("ico-", Of::Alnum, 32, "an Infracost key"),
    ("s-s4t2ud-", Of::Hex, 60, "an Intra42 secret"),
    ("s-s4t2af-", Of::Hex, 60, "an Intra42 secret"),
    ("lin_api_", Of::Alnum, 36, "a Linear key"),
    ("lsv2_pt_", Of::Word, 32, "a LangSmith key"),
    ("lsv2_sk_", Of::Word, 32, "a LangSmith key"),
    ("live_pub_", Of::Hex, 30, "a Lob key"),
    ("key-", Of::Hex, 32, "a Mailgun key"),
    ("sk.eyJ", Of::Dotted, 60, "a Mapbox token"),
    ("NRAK-", Of::Alnum, 24, "a New Relic key"),
    ("NRII-", Of::Word, 30, "a New Relic key"),
    ("NRJS-", Of::Hex, 19, "a New Relic key"),
    ("nfp_", Of::Alnum, 32, "a Netlify token"),
    ("ntn_", Of::Alnum, 40, "a Notion token"),
    ("secret_", Of::Alnum, 43, "a Notion token"),
    ("npm_", Of::Alnum, 24, "an npm token"),
    ("NuGet_", Of::Alnum, 40, "a NuGet key"),
    ("oy2", Of::Alnum, 43, "a NuGet key"),
    ("API-", Of::Capitals, 25, "an Octopus Deploy key"),
    ("sk-proj-", Of::Word, 24, "an OpenAI key"),
    ("sk-svcacct-", Of::Word, 24, "an OpenAI key"),
    ("sk-admin-", Of::Word, 24, "an OpenAI key"),
    ("sk-or-v1-", Of::Hex, 40, "an OpenRouter key"),
    ("sk-", Of::Alnum, 24, "an API key"),
    ("sha256~", Of::Word, 40, "an OpenShift token"),
    ("pplx-", Of::Alnum, 40, "a Perplexity key"),
    ("access-sandbox-", Of::Word, 36, "a Plaid token"),
    ("access-development-", Of::Word, 36, "a Plaid token"),
    ("access-production-", Of::Word, 36, "a Plaid token"),
    ("pscale_tkn_", Of::Dotted, 32, "a PlanetScale token"),
    ("pscale_oauth_", Of::Dotted, 32, "a PlanetScale token"),
    ("pscale_pw_", Of::Dotted, 32, "a PlanetScale password"),
    ("PMAK-", Of::Word, 50, "a Postman key"),
    ("pnu_", Of::Alnum, 36, "a Prefect token"),
    ("pul-", Of::Hex, 40, "a Pulumi token"),
    ("pypi-", Of::Word, 40, "a PyPI token"),
    ("rdme_", Of::Alnum, 60, "a ReadMe token"),
    ("rubygems_", Of::Hex, 40, "a RubyGems key"),
    ("r8_", Of::Alnum, 37, "a Replicate token"),
    ("tk-us-", Of::Word, 40, "a Scalingo token"),
    ("SG.", Of::Dotted, 40, "a SendGrid key"),
    ("xkeysib-", Of::Word, 60, "a Brevo key"),
    ("xsmtpsib-", Of::Word, 60, "a Brevo key"),
    ("sntrys_", Of::Base64, 40, "a Sentry token"),
    ("sntryu_", Of::Hex, 60, "a Sentry token"),
    ("sbp_", Of::Hex, 40, "a Supabase token"),
    ("sb_secret_", Of::Word, 20, "a Supabase key"),
    ("sm_aat_", Of::Alnum, 16, "a SettleMint token"),
    ("sm_pat_", Of::Alnum, 16, "a SettleMint token"),
    ("sm_sat_", Of::Alnum, 16, "a SettleMint token"),
    ("shippo_live_", Of::Hex, 40, "a Shippo token"),
    ("shippo_test_", Of::Hex, 40, "a Shippo token"),
    ("shpat_", Of::Alnum, 20, "a Shopify token"),
    ("shpca_", Of::Hex, 32, "a Shopify token"),
    ("shppa_", Of::Hex, 32, "a Shopify token"),
    ("shpss_", Of::Hex, 32, "a Shopify secret"),
    ("xapp-", Of::Word, 10, "a Slack token"),
    ("xoxa-", Of::Word, 10, "a Slack token"),
    ("xoxb-", Of::Word, 10, "a Slack token"),
    ("xoxe-", Of::Word, 20, "a Slack token"),
    ("xoxe.", Of::Dotted, 40, "a Slack token"),
    ("xoxo-", Of::Word, 20, "a Slack token"),
    ("xoxp-", Of::Word, 10, "a Slack token"),
    ("xoxr-", Of::Word, 10, "a Slack token"),
    ("xoxs-", Of::Word, 10, "a Slack token"),
    ("sgp_", Of::Word, 40, "a Sourcegraph token"),
    ("sq0atp-", Of::Word, 22, "a Square token"),
    ("sq0csp-", Of::Word, 40, "a Square secret"),
    ("tfp_", Of::Dotted, 40, "a Typeform token"),
    ("tskey-", Of::Word, 20, "a Tailscale key"),
    ("hvb.", Of::Word, 60, "a Vault token"),
    ("hvs.", Of::Word, 20, "a Vault token"),
];

/// No token is longer.
const LONGEST: usize = 1024;

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
        if let Some((kind, end)) = by_prefix(text, at).or_else(|| by_form(text, at)) {
            until = end;
            found.push((kind, at..end));
        }
    }
    found
}

/// What is looked at of a text for one token: no more, so that the work grows with the text only.
fn window(text: &str, at: usize) -> &str {
    &text[at..text.floor_char_boundary(text.len().min(at + 4 * LONGEST))]
}

fn by_prefix(text: &str, at: usize) -> Option<(&'static str, usize)> {
    let rest = window(text, at);
    let fits = |form: &&Form| {
        let (begin, of, least, _) = form;
        rest.strip_prefix(begin).is_some_and(|body| {
            let end = body.find(|c| !of.holds(c)).unwrap_or(body.len());
            let whole = !body[end..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
            // So much is data of another kind. Words that are joined are no token.
            let body = &body[..end];
            let joined = body.contains(['_', '-']) && !body.bytes().any(|byte| byte.is_ascii_digit());
            (*least..=LONGEST).contains(&end) && whole && !joined
        })
    };
    let (begin, of, _, kind) = FORMS.iter().filter(|form| rest.starts_with(form.0)).find(fits)?;
    let body = &rest[begin.len()..];
    let length = body.find(|c| !of.holds(c)).unwrap_or(body.len());
    // The end of a sentence is no part of it.
    let length = body[..length].trim_end_matches(['.', '=', '-']).len().max(1);
    Some((kind, at + begin.len() + length))
}

/// Tokens whose form has a part in its middle, or at its end.
fn by_form(text: &str, at: usize) -> Option<(&'static str, usize)> {
    let rest = window(text, at);
    let run = |of: Of| &rest[..rest.find(|c| !of.holds(c)).unwrap_or(rest.len())];
    let alnum = run(Of::Alnum);
    let end = |token: &str| at + token.len();
    // A JSON web token: parts in base64 with dots between them.
    if alnum.starts_with("eyJ") {
        let token = run(Of::Dotted).trim_end_matches(['.', '=']);
        let (head, rest) = token.split_once('.')?;
        return (head.len() >= 16 && rest.len() >= 4).then(|| ("a JSON web token", end(token)));
    }
    // Azure: three characters, a digit, `Q~`.
    if rest.get(4..6) == Some("Q~") {
        let body =
            rest[6..].find(|c| !(Of::Word.holds(c) || matches!(c, '.' | '~'))).map_or(rest.len(), |length| 6 + length);
        return (37..=43).contains(&body).then_some(("an Azure secret", at + body));
    }
    match alnum.len() {
        32 if alnum.chars().all(|c| Of::Hex.holds(c)) => {
            let tail = rest[32..].strip_prefix("-us")?;
            let digits = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
            (1..=2).contains(&digits).then_some(("a Mailchimp key", at + 35 + digits))
        }
        34 if alnum.starts_with("SK")
            && alnum[2..].chars().all(|c| Of::Hex.holds(c))
            && !alnum.chars().any(|c| c.is_ascii_lowercase() && !('a'..='f').contains(&c)) =>
        {
            Some(("a Twilio key", end(alnum)))
        }
        6 if rest[6..].starts_with('_') => {
            let token = run(Of::Word);
            (token.len() == 40 && token.ends_with("_mmk")).then(|| ("a MaxMind key", end(token)))
        }
        5..=16 if alnum.bytes().all(|byte| byte.is_ascii_digit()) => {
            let body = rest[alnum.len()..].strip_prefix(":A")?;
            let length = body.find(|c| !Of::Word.holds(c)).unwrap_or(body.len());
            (33..=35).contains(&length).then_some(("a Telegram token", at + alnum.len() + 2 + length))
        }
        // A Discord bot token: who, when, and the signature.
        24..=28 if alnum.starts_with(['M', 'N', 'O']) && rest[alnum.len()..].starts_with('.') => {
            let token = run(Of::Dotted);
            let lengths: Vec<usize> = token.split('.').map(str::len).collect();
            matches!(lengths[..], [24..=28, 6, 27..=38]).then(|| ("a Discord token", end(token)))
        }
        // Stripe: secret and restricted keys of every mode.
        2 if matches!(alnum, "sk" | "rk") => {
            let token = run(Of::Word);
            let body = ["_live_", "_test_", "_prod_"].iter().find_map(|mode| token[2..].strip_prefix(mode))?;
            (body.len() >= 10 && body.bytes().all(|byte| byte.is_ascii_alphanumeric()))
                .then(|| ("a Stripe key", end(token)))
        }
        _ if alnum.starts_with("EAAA") && run(Of::Word).len() == 64 => Some(("a Square token", at + 64)),
        5 if alnum == "whsec" => {
            let token = rest[..].find(|c| !(Of::Base64.holds(c) || c == '_')).map_or(rest, |length| &rest[..length]);
            (token.len() >= 26).then(|| ("a webhook secret", end(token)))
        }
        _ => None,
    }
}
