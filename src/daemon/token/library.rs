//! Which library may be loaded as a module.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;

/// Where a module is, after making sure that loading it gives nobody a way in.
pub(in crate::daemon) fn sound_module(path: &Path, state: &Path) -> Result<PathBuf, Fault> {
    let next = "name the library of your token's maker: --module PATH, such as \
                /usr/lib/x86_64-linux-gnu/opensc-pkcs11.so";
    let refused = |why: &dyn std::fmt::Display| {
        let what = format!("cannot use the PKCS #11 module {}: {why}", Quoted(path));
        Fault::new(FaultKind::NoToken, what).next(next)
    };
    // A bare name would be looked for along a path of the environment.
    let real = path.canonicalize().map_err(|error| refused(&error))?;
    let metadata = real.metadata().map_err(|error| refused(&error))?;
    if !metadata.is_file() {
        return Err(refused(&"it is not a plain file"));
    }
    if state
        .canonicalize()
        .is_ok_and(|state| real.starts_with(state))
    {
        return Err(refused(&"it lies in the state folder of the pod"));
    }
    let own = [0, rustix::process::geteuid().as_raw()];
    if !own.contains(&metadata.uid()) || metadata.mode() & 0o022 != 0 {
        return Err(refused(&"others can write to it"));
    }
    Ok(real)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::token::Module;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_a_module_that_nobody_else_writes_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        std::fs::create_dir(&state).unwrap();
        let module = folder.path().join("module.so");
        std::fs::write(&module, "no library").unwrap();
        std::fs::set_permissions(&module, Permissions::from_mode(0o644)).unwrap();
        assert!(sound_module(&module, &state).is_ok());
        let why = |path: &Path| sound_module(path, &state).unwrap_err().what;
        // Of two links to it one lies in the state folder: where it really is decides.
        std::os::unix::fs::symlink(&module, state.join("link")).unwrap();
        assert!(sound_module(&state.join("link"), &state).is_ok());
        std::fs::copy(&module, state.join("copy")).unwrap();
        std::os::unix::fs::symlink(state.join("copy"), folder.path().join("link")).unwrap();
        assert!(why(&state.join("copy")).contains("state folder"));
        assert!(why(&folder.path().join("link")).contains("state folder"));
        assert!(why(folder.path()).contains("plain file"));
        assert!(why(Path::new("no-such-module.so")).contains("No such file"));
        std::fs::set_permissions(&module, Permissions::from_mode(0o664)).unwrap();
        assert!(why(&module).contains("others can write"));
        std::fs::set_permissions(&module, Permissions::from_mode(0o644)).unwrap();
        let refused = Module::load(&module, &state).err().unwrap();
        assert_eq!(refused.kind, FaultKind::NoToken);
    }
}
