//! Comma-separated values (RFC 4180) that a spreadsheet shows and never runs.

/// One row, without what ends it.
pub(super) fn row(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    cells.join(",")
}

/// What a spreadsheet would take for a formula gets an apostrophe in front: names and purposes come from other people.
fn cell(text: &str) -> String {
    let begins = text.trim_start_matches(' ').chars().next();
    let is_formula = begins.is_some_and(|first| FORMULA.contains(&first));
    let apostrophe = if is_formula { "'" } else { "" };
    let plain = |letter: char| letter != '"' && letter != ',' && !letter.is_control();
    if text.chars().all(plain) && text.trim() == text {
        format!("{apostrophe}{text}")
    } else {
        format!("\"{apostrophe}{}\"", text.replace('"', "\"\""))
    }
}

/// What begins a formula, also in the wide letters of East Asia; tabs and returns are passed over by some programs.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        let cases = [
            ("", ""),
            ("Anna", "Anna"),
            ("Dr. Müller", "Dr. Müller"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            (" pad", "\" pad\""),
            ("=1+1", "'=1+1"),
            (
                "=HYPERLINK(\"x\",\"y\")",
                "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\"",
            ),
            ("+1", "'+1"),
            ("-2", "'-2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "\"'\t=1\""),
            ("  =1", "\"'  =1\""),
            ("＝1", "'＝1"),
            ("a=b", "a=b"),
        ];
        for (text, expected) in cases {
            assert_eq!(cell(text), expected);
        }
        assert_eq!(row(&["a".into(), "b,c".into()]), "a,\"b,c\"");
    }
}
