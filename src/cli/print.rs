//! The only file that writes to the terminal. A reader that went away (`podfs status | head`) is no error.

use std::fmt::Display;
use std::io;
use std::io::IsTerminal;
use std::io::Write;

use serde::Serialize;

use crate::cli::exit::Exit;
use crate::daemon::Fault;

/// A line of the answer, on standard output.
pub(super) fn line(text: impl Display) {
    write_or_ignore(&mut io::stdout().lock(), format!("{text}\n").as_bytes());
}

/// Bytes of the answer as they are, on standard output.
pub(super) fn raw(bytes: &[u8]) {
    write_or_ignore(&mut io::stdout().lock(), bytes);
}

/// The answer for programs, on standard output.
pub(super) fn json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => line(text),
        Err(error) => note(format!("the answer cannot be written as JSON: {error}")),
    }
}

/// A remark, on standard error.
pub(super) fn note(text: impl Display) {
    write_or_ignore(
        &mut io::stderr().lock(),
        format!("podfs: {text}\n").as_bytes(),
    );
}

/// A question, on standard error, as it is.
pub(super) fn question(text: &str) {
    write_or_ignore(&mut io::stderr().lock(), text.as_bytes());
}

/// A failure: what, why, and the next thing to do.
pub(super) fn fault(fault: &Fault) {
    let next = fault
        .next
        .as_ref()
        .map(|next| format!("  next: {next}\n"))
        .unwrap_or_default();
    let text = format!("podfs: {}\n{next}", fault.what);
    write_or_ignore(&mut io::stderr().lock(), text.as_bytes());
}

/// A failure for programs, on standard output.
pub(super) fn fault_json(fault: &Fault) {
    json(&serde_json::json!({
        "error": {
            "kind": fault.kind,
            "code": Exit::of(fault.kind).code(),
            "what": fault.what,
            "next": fault.next,
        }
    }));
}

/// Whether a person can be asked.
pub(super) fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn write_or_ignore(out: &mut impl Write, text: &[u8]) {
    if out.write_all(text).and_then(|()| out.flush()).is_err() {
        tracing::debug!("nobody reads what is printed");
    }
}
