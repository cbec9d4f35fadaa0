//! In tests that ask for it, keeps account of what is sealed: one key and one nonce never seal two things.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::OnceLock;

use aes_gcm_siv::{AeadInOut, Aes256GcmSiv, Nonce};
use parking_lot::Mutex;

use crate::crypto::derive::enc;
use crate::crypto::seal::TAG_LEN;

/// Names a file that gets a byte for each thing that is sealed.
const ASKED: &str = "PODFS_SEALED";

/// What was sealed, by key and nonce.
struct Account {
    sealed: HashMap<([u8; TAG_LEN], [u8; 12]), [u8; 32]>,
    file: File,
}

/// Ends the process when the same key and nonce sealed something else before, on whatever thread.
pub(super) fn enter(cipher: &Aes256GcmSiv, nonce: &Nonce, ad: &[u8], plain: &[u8]) {
    static ACCOUNT: OnceLock<Option<Mutex<Account>>> = OnceLock::new();
    let account = ACCOUNT.get_or_init(|| {
        let file = std::env::var_os(ASKED)?;
        let file = OpenOptions::new().append(true).open(file).unwrap();
        let sealed = HashMap::new();
        Some(Mutex::new(Account { sealed, file }))
    });
    let Some(account) = account else { return };
    // The tag of nothing stands for the key.
    let key = cipher
        .encrypt_inout_detached(&Nonce::default(), b"account", (&mut [][..]).into())
        .unwrap();
    let what = *blake3::hash(&enc(&[ad, plain])).as_bytes();
    let mut account = account.lock();
    let before = account.sealed.insert((key.into(), (*nonce).into()), what);
    if before.is_some_and(|before| before != what) {
        std::process::abort();
    }
    account.file.write_all(&[0]).unwrap();
}

mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, ExitStatus};

    use super::ASKED;
    use crate::crypto::secret::Secret;
    use crate::crypto::{BoxKey, seal_box};

    /// What happens to a log, to pages and to heads; and the least that each seals.
    const LIVES: [(&str, u64); 4] = [
        ("pod::power::some_lives_and_what_goes_on_from_them", 500),
        (
            "crypto::publish::tests::refused::keys_and_addresses_follow_scope_attempt_kind_and_content",
            72,
        ),
        (
            "crypto::publish::tests::many_are_sealed_and_sealed_again_as_one_by_one",
            10,
        ),
        (
            "crypto::publish::tests::heads_come_back_in_their_place_alone",
            2,
        ),
    ];

    /// Runs a test in a process of its own with an account; gives how it ended, and how much was sealed.
    fn run(test: &str, more: &[&str]) -> (ExitStatus, u64) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([test, "--exact"]).args(more);
        let output = command.env(ASKED, file.path()).output().unwrap();
        (output.status, file.as_file().metadata().unwrap().len())
    }

    #[test]
    fn no_key_seals_two_things_under_one_nonce() {
        for (test, least) in LIVES {
            let (status, sealed) = run(test, &["--include-ignored"]);
            assert!(status.success(), "{test}: {status}");
            assert!(sealed >= least, "{test}: {sealed} sealed");
        }
    }

    #[test]
    fn an_account_notices_two_things_under_one_nonce() {
        let mistake = "crypto::account::tests::a_mistake";
        let (status, sealed) = run(mistake, &["--ignored"]);
        assert_eq!(status.signal(), Some(libc::SIGABRT), "{status}");
        assert_eq!(sealed, 2, "the same twice is no mistake");
    }

    #[test]
    #[ignore = "an_account_notices_two_things_under_one_nonce runs it"]
    fn a_mistake() {
        let key = BoxKey::new(Secret::from_bytes(&[1; 32]));
        for plain in [b"one", b"one", b"two"] {
            seal_box(&key, [1; 12], b"place", &mut plain.to_vec());
        }
    }
}
