//! Boxes, as the daemon makes, lists and removes them.

mod client;
mod mounts;

pub use client::BoxClient;
pub(super) use mounts::BoxMounts;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::control::BoxRefusal;
use crate::control::BoxReport;
use crate::control::BoxRequest;
use crate::control::BoxResponse;
use crate::daemon::boxes::mounts::NotMounted;
use crate::daemon::build::House;
use crate::daemon::config::ServeConfig;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::happened;
use crate::daemon::leave::Left;
use crate::daemon::leave::leave;
use crate::daemon::network::find;
use crate::format::audit::Kind;
use crate::format::rows::Attached;
use crate::pod::BoxError;
use crate::pod::Extent;
use crate::pod::PodError;
use crate::types::Ino;
use crate::types::limits::CONTROL_LINE_MAX;

/// Why something about a box was not done.
struct Refused(BoxRefusal, String);

impl From<BoxError> for Refused {
    fn from(error: BoxError) -> Self {
        let why = match &error {
            BoxError::NoBox => BoxRefusal::NoBox,
            BoxError::Mounted => BoxRefusal::Mounted,
            BoxError::NotAFolder
            | BoxError::Already
            | BoxError::Nested(_)
            | BoxError::Linked(_)
            | BoxError::TooMany => BoxRefusal::Wrong,
            BoxError::Pod(_) => BoxRefusal::State,
        };
        Self(why, error.to_string())
    }
}

impl From<PodError> for Refused {
    fn from(error: PodError) -> Self {
        BoxError::from(error).into()
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        let why = if fault.kind == FaultKind::Mountpoint {
            BoxRefusal::Mountpoint
        } else if fault.kind == FaultKind::Fuse {
            BoxRefusal::Fuse
        } else {
            BoxRefusal::State
        };
        Self(why, fault.what)
    }
}

impl From<NotMounted> for Refused {
    fn from(error: NotMounted) -> Self {
        match error {
            NotMounted::Box(error) => error.into(),
            NotMounted::Fault(fault) => fault.into(),
        }
    }
}

type Answered = Result<BoxResponse, Refused>;

/// The answer to a request. May take long where much is in a box.
pub(super) async fn answer(
    (house, config): (&House, &Arc<ServeConfig>),
    request: BoxRequest,
) -> BoxResponse {
    let (of, config) = (house.clone(), Arc::clone(config));
    let answered = match request {
        BoxRequest::Create {
            path,
            one_scope,
            preview,
        } => {
            let made = path.clone();
            let work = move || create(&of, &made, (one_scope, preview));
            recorded(house, (Kind::BoxCreated, &path, preview), blocking(work)).await
        }
        BoxRequest::Remove { path, preview } => {
            let gone = path.clone();
            let work = move || remove(&of, &gone, preview);
            recorded(house, (Kind::BoxRemoved, &path, preview), blocking(work)).await
        }
        BoxRequest::At { point } => match house.box_mounts().box_at(&point) {
            Some(dir) => Ok(BoxResponse::At {
                path: path_of(house, dir),
            }),
            None => Err(not_mounted()),
        },
        BoxRequest::Mount { path, point } => {
            blocking(move || mount((&of, &config), &path, &point)).await
        }
        BoxRequest::Unmount { point, lazy } => unmount(house, point, lazy).await,
        BoxRequest::List { after } => blocking(move || Ok(list(&of, after))).await,
    };
    answered.unwrap_or_else(|Refused(why, what)| BoxResponse::Refused { why, what })
}

/// What was done stands in the audit log.
async fn recorded(
    house: &House,
    (kind, path, preview): (Kind, &Path, bool),
    work: impl Future<Output = Answered>,
) -> Answered {
    let answer = work.await?;
    if let BoxResponse::Box(report) = &answer
        && !preview
    {
        let happening = happened::bordered(kind, path, report.number);
        let recorded = house.people().audit().record(&happening).await;
        recorded.map_err(|fault| {
            Refused(
                BoxRefusal::State,
                format!("it was done, but {}", fault.what),
            )
        })?;
    }
    Ok(answer)
}

async fn blocking(work: impl FnOnce() -> Answered + Send + 'static) -> Answered {
    let answered = tokio::task::spawn_blocking(work).await;
    answered.unwrap_or_else(|error| Err(Refused(BoxRefusal::State, error.to_string())))
}

fn create(house: &House, path: &Path, (one_scope, preview): (bool, bool)) -> Answered {
    let dir = find(house.pod(), path)?;
    if !preview {
        has_room(house, dir)?;
    }
    let (attached, extent) = house.pod().make_box(dir, one_scope, preview)?;
    if !preview {
        tracing::info!(number = attached.number, "a box was made");
    }
    Ok(BoxResponse::Box(report(
        path,
        attached,
        (Some(extent), None),
    )))
}

fn remove(house: &House, path: &Path, preview: bool) -> Answered {
    let dir = find(house.pod(), path)?;
    if !preview {
        has_room(house, dir)?;
    }
    let (attached, extent) = house.pod().unmake_box(dir, preview)?;
    if !preview {
        tracing::info!(number = attached.number, "a box was removed");
    }
    Ok(BoxResponse::Box(report(
        path,
        attached,
        (Some(extent), None),
    )))
}

/// What is sealed anew has to be here.
fn has_room(house: &House, dir: Ino) -> Result<(), Refused> {
    let weighed = house.publishing().publisher();
    let weighed = weighed.to_be_fetched(&BTreeSet::from([dir]));
    let (fetched, room) = weighed.map_err(|error| Refused(BoxRefusal::State, error.to_string()))?;
    if fetched <= room {
        return Ok(());
    }
    let what = format!(
        "{fetched} bytes of it would have to be fetched first, and this machine has room for {room}"
    );
    Err(Refused(BoxRefusal::State, what))
}

fn mount((house, config): (&House, &ServeConfig), path: &Path, point: &Path) -> Answered {
    let dir = find(house.pod(), path)?;
    let (mounts, runtime) = (house.box_mounts(), Handle::current());
    let notes = mounts.mount((house, config), dir, point, &runtime)?;
    Ok(BoxResponse::Mounted { notes })
}

async fn unmount(house: &House, point: PathBuf, lazy: bool) -> Answered {
    let mounts = house.box_mounts();
    if !mounts.has(&point) {
        return Err(not_mounted());
    }
    match leave(point.clone()).await {
        Left::Busy(holders) if !lazy => return Ok(BoxResponse::Busy { holders }),
        Left::Failed(fault) if !lazy => return Err(fault.into()),
        Left::Gone | Left::Busy(_) | Left::Failed(_) => {}
    }
    mounts.cut(&point).await;
    Ok(BoxResponse::Unmounted)
}

fn not_mounted() -> Refused {
    Refused(BoxRefusal::NotMounted, "no box is mounted there".to_owned())
}

/// Boxes with numbers above `after`, one at least if there is any, as many as surely fit a line.
fn list(house: &House, after: u32) -> BoxResponse {
    let (mut boxes, mut room, mut more) = (Vec::new(), CONTROL_LINE_MAX / 2, false);
    let all = house.pod().boxes().into_iter();
    for (dir, attached) in all.filter(|(_, attached)| attached.number > after) {
        let point = house.box_mounts().point_of(dir);
        let report = report(&path_of(house, dir), attached, (None, point));
        // A byte of a name is at most six in JSON.
        let point = report.mountpoint.as_ref().map_or(0, String::len);
        let bytes = 256 + 6 * (report.path.len() + point);
        if bytes > room && !boxes.is_empty() {
            more = true;
            break;
        }
        room = room.saturating_sub(bytes);
        boxes.push(report);
    }
    BoxResponse::Boxes { boxes, more }
}

fn path_of(house: &House, dir: Ino) -> PathBuf {
    let names = house.publishing().reader().path_of(dir);
    let names = names.unwrap_or_default();
    let parts = names.iter().map(|name| OsStr::from_bytes(name.as_bytes()));
    parts.collect()
}

fn report(
    path: &Path,
    attached: Attached,
    (extent, point): (Option<Extent>, Option<PathBuf>),
) -> BoxReport {
    let point = point.map(|point| point.to_string_lossy().into_owned());
    BoxReport {
        mountpoint: point,
        number: attached.number,
        path: path.to_string_lossy().into_owned(),
        dedup: if attached.one_scope { "box" } else { "file" }.to_owned(),
        names: extent.map(|extent| extent.names),
        bytes: extent.map(|extent| extent.bytes),
    }
}
