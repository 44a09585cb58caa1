# Daily verbs. `just` lists them; each is an ordinary command that can be typed by hand.

_list:
    @just --list --unsorted

# build the program for working on it
build:
    cargo build

# the quick look: compiles, lints, formatted
check:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings

# all tests, or those whose name has a part: `just test tidy`
test *name:
    cargo test {{name}}

# what is quick: the tests of units, of commands in one process, and the rules of the house
test-fast:
    cargo test --lib
    cargo test --test it -- tidy:: eval:: org:: env:: schema:: docs:: ports:: random:: --skip atomicity --skip fuzz

# machines with systemd, as throw-away containers; as root
beds *name:
    tests/beds/systemd-box image
    cargo test --test it beds::{{name}}

# write transcripts and the generated parts of docs/ anew, then look at the difference
update:
    UPDATE=1 cargo test --test it transcript
    UPDATE=1 cargo test --test it docs
    UPDATE=1 cargo test --test it templates
    git diff --stat

# format the code
format:
    cargo fmt

# measure: see benches/README.md
bench:
    cargo bench --bench side_by_side

# the faults in the release build, as long as their claims: 200 random kills for each child,
# 1 000 rounds of random signals during every verb, 520 processes of an ordinary
# user, 1 000 processes for ten minutes; prints what it measured. `SOAK=120 just soak faults::many` takes two minutes
soak *name="faults::kills faults::chaos an_ordinary_user_has_many faults::many":
    SOAK="${SOAK:-1}" cargo test --locked --release --test it -- --nocapture --test-threads 1 {{name}}

# 10 000 random documents × profiles × overrides × settings: what promotion writes says what was meant. `CASES=100000 just faithful`
faithful:
    CASES="${CASES:-10000}" cargo test --locked --test it -- --nocapture faithful

# install the program and set it up
install:
    cargo install --locked --path .
    tetra setup

# the release build and its packages, below target/packages
package:
    cargo build --locked --release
    packaging/build "$(find target -path '*/release/tetra' -type f | head -n 1)"
    packaging/check

# licences, sources, duplicate versions and known weaknesses of the crates (needs cargo-deny)
deny:
    cargo deny --locked check

# everything a change has to pass
ci:
    .ci/run
