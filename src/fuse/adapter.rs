use std::cell::RefCell;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

use fuser::{
    BsdFileFlags, CopyFileRangeFlags, Errno, FileHandle, Filesystem, INodeNo, IoctlFlags,
    KernelConfig, LockOwner, OpenAccMode, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek,
    ReplyOpen, ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use rustix::fs::FallocateFlags;

use crate::fuse::answer::{HANDLE, Listing, Probe};
use crate::fuse::contents::Contents;
use crate::fuse::listing::{list, list_plus};
use crate::fuse::serve::{Adapter, Effect};
use crate::fuse::time::from_request;
use crate::fuse::translate::{COPY_MAX, agree, caller, found, seek, set_time, taken, xattr_mode};
use crate::fuse::watchdog::STATFS;
use crate::pod::{Pod, PodError, SetAttr, told};

impl Filesystem for Adapter {
    fn init(&mut self, _req: &Request, config: &mut KernelConfig) -> io::Result<()> {
        agree(config);
        Ok(())
    }

    fn lookup(&self, _req: &Request, dir: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.run("lookup", dir, reply, |pod, ino| {
            found(pod, ino, name.as_bytes())
        });
    }

    fn forget(&self, _req: &Request, node: INodeNo, _nlookup: u64) {
        self.pod.forget_meant(self.mount.ino(node));
    }

    fn getattr(&self, _req: &Request, node: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        self.run("getattr", node, reply, Pod::getattr_told);
    }

    fn setattr(
        &self,
        req: &Request,
        node: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        ctime: Option<SystemTime>,
        _fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let set = SetAttr {
            mode,
            uid,
            gid,
            size,
            atime: atime.map(set_time),
            mtime: mtime.map(set_time),
            ctime: ctime.map(from_request),
        };
        let asked = caller(req);
        let work = move |pod: &Pod, ino| pod.setattr_meant(ino, &set, asked);
        self.run_far(("setattr", node, Effect::Changes), reply, work, || work);
    }

    fn readlink(&self, _req: &Request, node: INodeNo, reply: ReplyData) {
        self.run("readlink", node, reply, Pod::readlink);
    }

    fn mknod(
        &self,
        req: &Request,
        dir: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        rdev: u32,
        reply: ReplyEntry,
    ) {
        self.change(("mknod", dir), &[(dir, name)], reply, |pod, ino| {
            let name = name.as_bytes();
            Ok(Some(pod.mknod(ino, name, (mode, rdev), caller(req))?))
        });
    }

    fn mkdir(
        &self,
        req: &Request,
        dir: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        self.change(("mkdir", dir), &[(dir, name)], reply, |pod, ino| {
            Ok(Some(pod.mkdir(ino, name.as_bytes(), mode, caller(req))?))
        });
    }

    fn unlink(&self, _req: &Request, dir: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.change(("unlink", dir), &[(dir, name)], reply, |pod, ino| {
            pod.unlink(ino, name.as_bytes())
        });
    }

    fn rmdir(&self, _req: &Request, dir: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.change(("rmdir", dir), &[(dir, name)], reply, |pod, ino| {
            pod.rmdir(ino, name.as_bytes())
        });
    }

    fn symlink(&self, req: &Request, dir: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        self.change(("symlink", dir), &[(dir, name)], reply, |pod, ino| {
            let (name, target) = (name.as_bytes(), target.as_os_str().as_bytes());
            Ok(Some(pod.symlink(ino, name, target, caller(req))?))
        });
    }

    fn rename(
        &self,
        _req: &Request,
        dir: INodeNo,
        name: &OsStr,
        to: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let names = [(dir, name), (to, new_name)];
        self.change(("rename", dir), &names, reply, |pod, ino| {
            let (from, to) = ((ino, name.as_bytes()), (self.ino(to), new_name.as_bytes()));
            pod.rename(from, to, taken(flags)?)
        });
    }

    fn link(&self, _req: &Request, node: INodeNo, dir: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.change(("link", node), &[(dir, name)], reply, |pod, ino| {
            Ok(Some(pod.told(pod.link(
                ino,
                self.ino(dir),
                name.as_bytes(),
            )?)))
        });
    }

    fn open(&self, req: &Request, node: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let writes = flags.acc_mode() != OpenAccMode::O_RDONLY;
        if let Some(told) = told(self.mount.ino(node)) {
            return self.open_told(node, told, writes, reply);
        }
        self.run("open", node, reply, |pod, ino| {
            if writes {
                pod.may_be_written(ino)?;
            }
            let opened = self.mount.open(pod, node);
            opened.map(|()| self.tell_opened(req, ino, flags))
        });
    }

    fn create(
        &self,
        req: &Request,
        dir: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        self.change(("create", dir), &[(dir, name)], reply, |pod, ino| {
            let attr = pod.create(ino, name.as_bytes(), mode, caller(req))?;
            self.mount.opens(attr.ino);
            self.tell_opened(req, attr.ino, OpenFlags(flags));
            Ok(attr)
        });
    }

    fn read(
        &self,
        _req: &Request,
        node: INodeNo,
        fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        if fh != HANDLE {
            return self.read_told(fh, offset, size, reply);
        }
        let work = move |pod: &Pod, ino| Contents::read(pod, ino, offset, size);
        self.run_far(("read", node, Effect::Reads), reply, work, || work);
    }

    fn write(
        &self,
        _req: &Request,
        node: INodeNo,
        _fh: FileHandle,
        offset: u64,
        data: &[u8],
        how: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let kill_priv = how.contains(WriteFlags::FUSE_WRITE_KILL_SUIDGID);
        let write = move |pod: &Pod, ino, data: &[u8]| pod.write_to((ino, offset), data, kill_priv);
        let work = |pod: &Pod, ino| write(pod, ino, data);
        self.run_far(("write", node, Effect::Changes), reply, work, || {
            let data = data.to_vec();
            move |pod: &Pod, ino| write(pod, ino, &data)
        });
    }

    fn release(
        &self,
        _req: &Request,
        node: INodeNo,
        fh: FileHandle,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        if fh != HANDLE {
            return self.release_told(fh, reply);
        }
        self.run("release", node, reply, |pod, _| {
            self.mount.release(pod, node)
        });
    }

    fn fsync(
        &self,
        _req: &Request,
        node: INodeNo,
        _fh: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        self.run("fsync", node, reply, |pod, _| pod.fsync());
    }

    /// Directories have no state of their own: the kernel opens and closes them itself then, and keeps what it read.
    fn opendir(&self, _req: &Request, _node: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        reply.error(Errno::ENOSYS);
    }

    fn readdir(
        &self,
        _req: &Request,
        node: INodeNo,
        _fh: FileHandle,
        cookie: u64,
        reply: ReplyDirectory,
    ) {
        let reply = RefCell::new(Some(reply));
        self.run("readdir", node, Listing(&reply), |pod, ino| {
            list(pod, (ino, self.mount.top()), cookie, &reply)
        });
    }

    fn readdirplus(
        &self,
        _req: &Request,
        node: INodeNo,
        _fh: FileHandle,
        cookie: u64,
        reply: ReplyDirectoryPlus,
    ) {
        let reply = RefCell::new(Some(reply));
        self.run("readdirplus", node, Listing(&reply), |pod, ino| {
            list_plus(pod, (ino, self.mount.top()), cookie, &reply)
        });
    }

    fn fsyncdir(
        &self,
        _req: &Request,
        node: INodeNo,
        _fh: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        self.run("fsyncdir", node, reply, |pod, _| pod.fsync());
    }

    fn statfs(&self, _req: &Request, node: INodeNo, reply: ReplyStatfs) {
        self.run(STATFS, node, reply, |pod, _| Ok(pod.statfs()));
    }

    fn setxattr(
        &self,
        req: &Request,
        node: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        let what = (name.as_bytes(), value, xattr_mode(flags));
        self.set_attribute(node, what, caller(req), reply);
    }

    fn getxattr(&self, req: &Request, node: INodeNo, name: &OsStr, room: u32, reply: ReplyXattr) {
        self.get_attribute(node, (name.as_bytes(), room), caller(req), reply);
    }

    fn listxattr(&self, _req: &Request, node: INodeNo, room: u32, reply: ReplyXattr) {
        self.run("listxattr", node, reply, |pod, ino| {
            pod.listxattr(ino).map(|bytes| Probe { bytes, room })
        });
    }

    fn removexattr(&self, req: &Request, node: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.remove_attribute(node, name.as_bytes(), caller(req), reply);
    }

    fn ioctl(
        &self,
        _req: &Request,
        _node: INodeNo,
        _fh: FileHandle,
        _flags: IoctlFlags,
        _cmd: u32,
        _data: &[u8],
        _out: u32,
        reply: ReplyIoctl,
    ) {
        reply.error(Errno::ENOTTY);
    }

    fn fallocate(
        &self,
        _req: &Request,
        node: INodeNo,
        _fh: FileHandle,
        offset: u64,
        len: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let mode = FallocateFlags::from_bits_retain(mode.cast_unsigned());
        let work = move |pod: &Pod, ino| pod.fallocate(pod.to_change(ino)?, offset, len, mode);
        self.run_far(("fallocate", node, Effect::Changes), reply, work, || work);
    }

    fn lseek(
        &self,
        _req: &Request,
        node: INodeNo,
        _fh: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        self.run("lseek", node, reply, |pod, ino| {
            let offset = u64::try_from(offset).map_err(|_| PodError::NoSuchOffset)?;
            pod.seek(ino, offset, seek(whence)?)
        });
    }

    fn copy_file_range(
        &self,
        _req: &Request,
        source: INodeNo,
        _fh_in: FileHandle,
        from: u64,
        target: INodeNo,
        _fh_out: FileHandle,
        to: u64,
        len: u64,
        _flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        let source = self.mount.ino(source);
        let work = move |pod: &Pod, ino| {
            let (source, target) = (pod.meant(source), pod.to_change(ino)?);
            let copied = pod.copy_range(source, from, target, to, len.min(COPY_MAX))?;
            Ok(u32::try_from(copied).unwrap_or(u32::MAX))
        };
        let what = ("copy_file_range", target, Effect::Changes);
        self.run_far(what, reply, work, || work);
    }
}
