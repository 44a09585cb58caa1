//! What `--json` prints has the shape that `schemas/` says.

use serde_json::Value;

use super::init::PROJECT;
use crate::schema::{misfits, schema};
use crate::transcript::SessionHome;

#[test]
fn what_json_prints_fits_the_schemas() {
    let home = SessionHome::new();
    let (said, code) = home.bash(&format!("mkdir -p tetra/org/acme && cat > tetra.toml <<'END'\n{PROJECT}\nEND\n"));
    assert_eq!(code, 0, "{said}");
    let keygen = "ssh-keygen -q -t ed25519 -N '' -f id && printf '[secrets.recipients]\\nme = \"%s\"\\n' \"$(cat id.pub)\" > tetra/org/acme/manifest.toml";
    assert_eq!(home.bash(keygen).1, 0);
    for (line, name) in [
        ("echo 1234567 | tetra secrets set dev DEV_SPACES_SECRET_KEY --json", "secrets-set"),
        ("tetra env init dev --json", "env-init"),
        ("echo A=1 > env/qa.env.tmpl; tetra env list --json", "env-list"),
        ("tetra env status --json", "env-status"),
        ("tetra env show dev --json", "env-show"),
        ("tetra env templates --json", "env-templates"),
        ("tetra env promote dev staging --json", "env-promote"),
        ("tetra env diff dev staging --json", "env-diff"),
        ("tetra env toml show --json", "env-toml-show"),
        ("tetra env toml show variables --json", "env-toml-show-table"),
        ("echo 'A=}' >> env/dev.env; tetra env validate --json", "findings"),
        ("echo 'x = \"${NO}\"' >> tetra.toml; tetra env toml validate --json", "findings"),
        ("echo 'token = \"x9Kd02\"' > x.toml; tetra secrets scan x.toml --json", "findings"),
        ("tetra secrets list --json", "secrets-list"),
        ("tetra secrets doctor --json", "tsm-doctor"),
        ("tetra secrets rm dev DEV_SPACES_SECRET_KEY --json", "secrets-rm"),
        ("echo 1234567 | tetra secrets set dev OTHER --json", "secrets-set"),
        ("tetra secrets seal dev --identity id --json", "secrets-seal"),
        ("tetra secrets rekey --identity id --json", "secrets-rekey"),
    ] {
        let (said, _) = home.bash(&format!("export TETRA_ORG=acme; {{ {line}; }} 2>/dev/null"));
        let value: Value =
            serde_json::from_str(&said).unwrap_or_else(|error| panic!("`{line}` said no JSON: {error}\n{said}"));
        assert_eq!(misfits(&value, &schema(name)), Vec::<String>::new(), "`{line}` printed\n{value:#}");
        assert!(value.as_array().is_none_or(|all| !all.is_empty()), "`{line}` shows something");
    }
}
