//! The user that a worker is.

use rustix::{
    io::Errno,
    process::{DumpableBehavior, Gid, Uid, set_dumpable_behavior},
    thread::{set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

/// A system call that was refused.
#[derive(Debug, thiserror::Error)]
#[error("{call}")]
pub struct UserError {
    call: &'static str,
    source: Errno,
}

/// Becomes another user with this group and these groups beside it, for good, and gives up all ways to more rights.
///
/// # Errors
/// [`UserError`]: only root may become another user.
pub fn become_user(ids: Option<(u32, u32)>, groups: &[u32]) -> Result<(), UserError> {
    let failed = |call| move |source| UserError { call, source };
    if let Some((user, group)) = ids {
        // The last call takes away the right to make the others. The kernel changes the calling thread, and a worker has no
        // other.
        let (group, user) = (Gid::from_raw(group), Uid::from_raw(user));
        let groups: Vec<_> = groups.iter().copied().map(Gid::from_raw).collect();
        set_thread_groups(&groups).map_err(failed("setgroups"))?;
        set_thread_res_gid(group, group, group).map_err(failed("setresgid"))?;
        set_thread_res_uid(user, user, user).map_err(failed("setresuid"))?;
        // A process that has changed its user may not look at itself in /proc. Nobody else has this user, or the walls keep others out, so it may.
        let _ = set_dumpable_behavior(DumpableBehavior::Dumpable);
    }
    set_no_new_privs(true).map_err(failed("no_new_privs"))
}
