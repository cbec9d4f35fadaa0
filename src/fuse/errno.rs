use fuser::Errno;

use crate::pod::PodError;

/// The number a program sees. The one place where a failure becomes an errno.
pub(super) const fn errno(error: &PodError) -> Errno {
    match error {
        PodError::NotFound => Errno::ENOENT,
        PodError::Exists => Errno::EEXIST,
        PodError::NotADirectory => Errno::ENOTDIR,
        PodError::IsADirectory => Errno::EISDIR,
        PodError::NotEmpty => Errno::ENOTEMPTY,
        PodError::NameTooLong => Errno::ENAMETOOLONG,
        PodError::TooManyLinks => Errno::EMLINK,
        PodError::NotPermitted => Errno::EPERM,
        PodError::Denied => Errno::EACCES,
        PodError::CrossDevice => Errno::EXDEV,
        // Linux says EINVAL for a directory moved below itself; ELOOP is about symlinks.
        PodError::NameInvalid | PodError::InvalidArgument | PodError::Loop => Errno::EINVAL,
        PodError::NotSupported => Errno::EOPNOTSUPP,
        PodError::Range => Errno::ERANGE,
        PodError::NoData => Errno::ENODATA,
        PodError::TooLarge => Errno::E2BIG,
        PodError::FileTooLarge => Errno::EFBIG,
        PodError::NoSuchOffset | PodError::NoSuchPerson => Errno::ENXIO,
        PodError::TooManyOpen => Errno::ENFILE,
        PodError::NoSpace => Errno::ENOSPC,
        PodError::ReadOnly => Errno::EROFS,
        PodError::IsBox | PodError::InUse => Errno::EBUSY,
        PodError::Stale => Errno::ESTALE,
        // The journal's patience has an end before anybody's request gets too old: programs know this one from
        // network file systems.
        PodError::Busy => Errno::ETIMEDOUT,
        // What the network does not give is told as a failing disk is, and as NFS does when it gives up: whoever reads
        // files knows this number, and few look for those of sockets or take a time-out for an error.
        PodError::Corrupt(_)
        | PodError::Io(_)
        | PodError::Absent { .. }
        | PodError::Unreachable(_) => Errno::EIO,
    }
}
