//! Transcripts of the command line: help texts, errors, exit codes. `TRYCMD=overwrite` writes them anew.

/// Each transcript runs without a terminal, in a home of its own.
#[test]
fn transcripts() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    std::fs::create_dir(&run).unwrap();
    trycmd::TestCases::new()
        .case("tests/cli/*.trycmd")
        .env("HOME", home.path().to_str().unwrap())
        .env("XDG_RUNTIME_DIR", run.to_str().unwrap())
        .env("XDG_DATA_HOME", "")
        .env("XDG_STATE_HOME", "")
        .env("XDG_CONFIG_HOME", "")
        .insert_var("[HOME]", home.path().display().to_string())
        .unwrap();
}
