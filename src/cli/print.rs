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

/// One of several answers for programs, on one line of standard output.
pub(super) fn json_line(value: &impl Serialize) {
    match serde_json::to_string(value) {
        Ok(text) => line(text),
        Err(error) => note(format!("the answer cannot be written as JSON: {error}")),
    }
}

/// Rows below a header, as wide as they have to be.
pub(super) fn table<const N: usize>(header: &[&str; N], rows: &[[String; N]]) {
    let header = header.map(str::to_owned);
    let all = || std::iter::once(&header).chain(rows);
    let mut widths = [0; N];
    for row in all() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in all() {
        let cells = row.iter().zip(widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        line(cells.join("  ").trim_end());
    }
}

/// A value, or a dash where it is not known.
pub(super) fn or_dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
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

/// Fields of a report that a help text does not explain.
#[cfg(test)]
pub(super) fn undocumented(report: &impl Serialize, help: &str) -> Vec<String> {
    let report = serde_json::to_value(report).unwrap();
    let fields = report.as_object().unwrap().keys();
    let missing = fields.filter(|field| !help.contains(&format!("\n  {field} ")));
    missing.cloned().collect()
}

fn write_or_ignore(out: &mut impl Write, text: &[u8]) {
    if out.write_all(text).and_then(|()| out.flush()).is_err() {
        tracing::debug!("nobody reads what is printed");
    }
}
