//! How what others add to a shared folder comes back: they keep it in a folder of their own, and give the owner of the
//! shared one a grant of that.

use crate::crypto::derive::enc;
use crate::crypto::domain::ad;
use crate::format::grant::Terms;
use crate::format::rows::{FileKind, Key};
use crate::types::Name;
use crate::types::limits::NAME_MAX;
use crate::types::{Purpose, Rights};

/// The id of the grant that comes back for the grant `id`, of what is added under it: the first 16 bytes of
/// `BLAKE3(enc("podfs/1/back", id))`.
pub fn back_id(id: &[u8; 16]) -> [u8; 16] {
    let hash = blake3::hash(&enc(&[ad::BACK, id]));
    let (first, _) = hash.as_bytes().split_at(16);
    let mut back = [0; 16];
    back.copy_from_slice(first);
    back
}

/// Whether a grant of this id would stand where the one that comes back for the grant `of` belongs.
pub fn takes_place_of(id: &[u8; 16], of: &[u8; 16]) -> bool {
    Key::received(id) == Key::received(&back_id(of))
}

/// The terms of the grant that comes back: to be read, for as long.
pub fn back_terms(of: &Terms) -> Terms {
    Terms {
        name: of.name.clone(),
        kind: FileKind::Directory,
        rights: Rights::READ,
        snapshot: false,
        from: None,
        until: of.until,
        purpose: Purpose::default(),
    }
}

/// Whether something comes back under such terms: what is added to a folder whose versions follow, or changed.
pub fn is_added_to(terms: &Terms) -> bool {
    let is_folder = terms.kind == FileKind::Directory;
    is_written_to(terms) || (terms.rights.include(Rights::APPEND) && is_folder && !terms.snapshot)
}

/// Whether what is there can be changed under such terms: a folder or file whose versions follow.
pub fn is_written_to(terms: &Terms) -> bool {
    terms.rights.include(Rights::WRITE) && !terms.snapshot
}

/// A name for what `person` added when `name` is taken: `report (from Ben).txt`, and from the second on `report
/// (from Ben 2).txt`. What would be too long loses the end of its stem.
pub fn copy_name(name: &Name, person: &Name, nth: usize) -> Option<Name> {
    let (stem, extension) = parts(name.as_bytes());
    let mut mark = FROM.to_vec();
    mark.extend_from_slice(person.as_bytes());
    if nth > 1 {
        mark.extend_from_slice(format!(" {nth}").as_bytes());
    }
    mark.push(b')');
    let room = NAME_MAX.checked_sub(mark.len().checked_add(extension.len())?)?;
    let copy = [shortened(stem, room), &mark, extension].concat();
    Name::parse(&copy).ok()
}

/// Whether `copy` is a name that somebody may have given to what was added as `name`.
pub fn is_copy_name(name: &Name, copy: &Name) -> bool {
    let ((stem, extension), copy) = (parts(name.as_bytes()), copy.as_bytes());
    let end = [b")", extension].concat();
    let Some(front) = copy.strip_suffix(end.as_slice()) else {
        return false;
    };
    let mut marks = front.windows(FROM.len()).enumerate();
    marks.any(|(at, mark)| {
        let kept = front.get(..at).unwrap_or_default();
        let is_whole = kept == stem;
        let is_cut = stem.starts_with(kept) && copy.len() > NAME_MAX - CHARACTER;
        mark == FROM && (is_whole || is_cut)
    })
}

/// What stands before the name of a person.
const FROM: &[u8] = b" (from ";
/// Bytes of the longest character.
const CHARACTER: usize = 4;

/// The part of a name before its last point, and the rest.
fn parts(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().rposition(|byte| *byte == b'.') {
        Some(at) if at > 0 => name.split_at(at),
        _ => (name, &[]),
    }
}

/// At most `room` bytes of a stem; no character of it is cut in two.
fn shortened(stem: &[u8], room: usize) -> &[u8] {
    let mut end = stem.len().min(room);
    let is_inside = |at: usize| stem.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    while end > 0 && end < stem.len() && is_inside(end) {
        end -= 1;
    }
    stem.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Name {
        Name::parse(name.as_bytes()).unwrap()
    }

    #[test]
    fn the_id_of_what_comes_back_is_fixed() {
        let id: [u8; 16] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let mut wanted = blake3::Hasher::new();
        wanted.update(&12_u32.to_le_bytes()).update(b"podfs/1/back");
        wanted.update(&16_u32.to_le_bytes()).update(&id);
        assert_eq!(back_id(&id), wanted.finalize().as_bytes()[..16]);
        assert_ne!(back_id(&back_id(&id)), back_id(&id));
        let mut near = back_id(&id);
        near[15] ^= 1;
        assert!(takes_place_of(&near, &id) && !takes_place_of(&id, &id));
    }

    #[test]
    fn copies_are_named_by_who_they_are_from() {
        let ben = name("Ben");
        for (of, nth, wanted) in [
            ("report.txt", 1, "report (from Ben).txt"),
            ("report.txt", 2, "report (from Ben 2).txt"),
            ("a.tar.gz", 1, "a.tar (from Ben).gz"),
            ("notes", 12, "notes (from Ben 12)"),
            (".profile", 1, ".profile (from Ben)"),
        ] {
            let copy = copy_name(&name(of), &ben, nth).unwrap();
            assert_eq!(copy.as_bytes(), wanted.as_bytes());
            assert!(is_copy_name(&name(of), &copy));
        }
        for (of, other) in [
            ("report.txt", "report.txt"),
            ("report.txt", "report (from Ben).pdf"),
            ("report.txt", "my report (from Ben).txt"),
            ("report.txt", "rep (from Ben).txt"),
            ("report.txt", " (from Ben).txt"),
            ("report.txt", "report (of Ben).txt"),
        ] {
            assert!(!is_copy_name(&name(of), &name(other)), "{other}");
        }
    }

    #[test]
    fn long_names_lose_the_end_of_their_stem() {
        let ben = name("Ben");
        for length in 230..=NAME_MAX {
            for letter in ["a", "ä", "€", "𝄞"] {
                let long = letter.repeat((length - 4) / letter.len()) + ".txt";
                let copy = copy_name(&name(&long), &ben, 1).unwrap();
                assert!(is_copy_name(&name(&long), &copy));
                let copy = std::str::from_utf8(copy.as_bytes()).unwrap();
                assert!(copy.ends_with(" (from Ben).txt"));
            }
        }
        let long = format!("a.{}", "e".repeat(253));
        assert!(copy_name(&name(&long), &ben, 1).is_none());
    }
}
