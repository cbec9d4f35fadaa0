//! Hexadecimal, as it stands in the files of vectors.

/// Lower case, two digits a byte.
pub fn encode(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// The bytes of a text that must be hexadecimal.
pub fn decode(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
