//! The way into R: [`protect`].

use std::{ffi::c_void, marker::PhantomData, mem::needs_drop};

use super::{console, error_text, ffi, interrupt, kept, preserved::Preserved, view::RValue};

/// Proof that the code holding it runs inside [`protect`], on R's thread. A function that takes it may call R
/// functions that fail by longjmp. When R jumps, the frame of that function is thrown away without running
/// destructors, and so are those of its callers up to [`protect`]: none of them may own anything.
///
/// The lifetime is that of the protected region. It also marks what was found with the token, such as views of R's
/// memory, so that the compiler keeps it from leaving the region.
#[derive(Debug, Clone, Copy)]
pub struct R<'r>(PhantomData<(&'r (), *mut ())>);

impl R<'_> {
    /// The token, for code that R's own loop runs at its prompt.
    ///
    /// # Safety
    /// R's loop is below on the stack, and so is where it continues after an error. The frames in between own nothing.
    pub(super) unsafe fn at_prompt() -> Self {
        Self(PhantomData)
    }
}

/// R left a protected region by longjmp: an error, an interrupt, or a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jumped;

/// Why R did not do what we asked it to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RError {
    /// An R error, with R's message.
    #[error("{0}")]
    Failed(String),
    /// An interrupt.
    #[error("interrupted")]
    Interrupted,
    /// The limit on processor time.
    #[error("stopped at the limit on processor time")]
    CpuLimit,
}

/// Runs `body` where R may jump: an R error ends it, and is returned as [`Jumped`].
///
/// Nothing that `body` captures or returns may need dropping, which the compiler checks. Nor may its local variables
/// at the time of a call of R, which is a matter of review. Buffers belong to the caller of this function.
///
/// The token and all that is bound to it stay inside. A number that was read from a value may leave:
///
/// ```no_run
/// use offshoot::{r::{exec::protect, preserved::Preserved}, wire::Value};
///
/// fn look(kept: &Preserved) {
///     let mut seen = None;
///     let found = protect(|r| seen = Some(kept.view(r).len()));
/// }
/// ```
///
/// A view of R's memory may not, neither in a variable outside
///
/// ```compile_fail,E0521
/// use offshoot::{r::{exec::protect, preserved::Preserved}, wire::Value};
///
/// fn look(kept: &Preserved) {
///     let mut seen = None;
///     let found = protect(|r| seen = Some(kept.view(r)));
/// }
/// ```
///
/// nor as the result:
///
/// ```no_run
/// use offshoot::{r::{exec::protect, preserved::Preserved}, wire::Value};
///
/// fn look(kept: &Preserved) {
///     let found = protect(|r| kept.view(r).len());
/// }
/// ```
///
/// ```compile_fail
/// use offshoot::{r::{exec::protect, preserved::Preserved}, wire::Value};
///
/// fn look(kept: &Preserved) {
///     let found = protect(|r| kept.view(r));
/// }
/// ```
///
/// The same holds for a string that lies in R's memory, and for the token itself:
///
/// ```compile_fail
/// use offshoot::{r::{exec::protect, preserved::Preserved}, wire::Value};
///
/// fn look(kept: &Preserved) {
///     let found = protect(|r| kept.view(r).string(0));
/// }
/// ```
///
/// ```compile_fail
/// use offshoot::{r::{exec::protect, preserved::Preserved}, wire::Value};
///
/// fn look(kept: &Preserved) {
///     let found = protect(|r| r);
/// }
/// ```
///
/// A result that needs dropping is refused as well, since R would leak it by jumping over its owner:
///
/// ```no_run
/// use offshoot::r::exec::protect;
///
/// let found = protect(|_| String::new().len());
/// ```
///
/// ```compile_fail,E0080
/// use offshoot::r::exec::protect;
///
/// let found = protect(|_| String::new());
/// ```
pub fn protect<T, F>(body: F) -> Result<T, Jumped>
where
    F: for<'r> FnOnce(R<'r>) -> T,
{
    // SAFETY: `body` works for any lifetime, so it has nothing outside of itself that is bound to this one.
    unsafe { enter(body) }
}

/// [`protect`] for work of our own: R's message goes into the error and not to the console.
pub fn protect_quietly<T, F>(body: F) -> Result<T, RError>
where
    F: for<'r> FnOnce(R<'r>) -> T,
{
    quietly(|| protect(body))
}

/// Memory that the body of [`look_at`] fills, and that may hold views of R's values.
pub(super) trait Memory {
    /// The memory for one protected region.
    type Of<'r>: Default;
}

/// [`protect_quietly`] for work on one value that needs memory. The memory is made before R is entered and dropped after
/// R has been left, however that was, so it may own what it likes.
pub(super) fn look_at<M, T, F>(value: &Preserved, body: F) -> Result<T, RError>
where
    M: Memory,
    F: for<'r, 'm> FnOnce(RValue<'r>, &'m mut M::Of<'r>) -> T,
{
    let mut memory = M::Of::default();
    let memory = &mut memory;
    // SAFETY: as for `protect`. What is bound to the lifetime in the memory is not looked at any more, only dropped.
    quietly(|| unsafe { enter(|r| body(value.view(r), memory)) })
}

/// Runs `body` below R_ToplevelExec.
///
/// # Safety
/// When this has returned, nothing that is bound to `'r` is used any more.
unsafe fn enter<'r, T, F>(body: F) -> Result<T, Jumped>
where
    F: FnOnce(R<'r>) -> T,
{
    const { assert!(!needs_drop::<F>() && !needs_drop::<T>(), "a longjmp would leak this") };

    struct Call<F, T> {
        body: Option<F>,
        result: Option<T>,
    }

    /// R leaves this frame by longjmp, so its ABI is one that may be left, and it owns nothing. No panic unwinds through
    /// it: see [`super::init::start`].
    unsafe extern "C-unwind" fn trampoline<'r, T, F: FnOnce(R<'r>) -> T>(data: *mut c_void) {
        // SAFETY: `data` is the `Call` that `enter` passed to R_ToplevelExec, alive until that returns, and nobody else
        // has a reference to it meanwhile.
        let call = unsafe { &mut *data.cast::<Call<F, T>>() };
        if let Some(body) = call.body.take() {
            call.result = Some(body(R(PhantomData)));
        }
    }

    let mut call = Call::<F, T> { body: Some(body), result: None };
    let earlier = kept::all();
    // SAFETY: `trampoline::<T, F>` matches the type of `call`, which outlives the call. R_ToplevelExec catches every jump,
    // and the frames between it and R own nothing, as asserted above.
    unsafe { ffi::R_ToplevelExec(Some(trampoline::<T, F>), (&raw mut call).cast()) };
    // SAFETY: values that were kept since are bound to `'r`, and are not used any more, as promised.
    unsafe { kept::keep_only(earlier) };
    call.result.ok_or(Jumped)
}

/// Keeps R's report of an error from the console while `run` runs, and returns it as an error.
fn quietly<T>(run: impl FnOnce() -> Result<T, Jumped>) -> Result<T, RError> {
    let was = console::silence_errors(true);
    // An interrupt is no error, and leaves the text of the last error as it is.
    let (result, is_error) = error_text::watch(run);
    console::silence_errors(was);
    result.map_err(|Jumped| {
        if interrupt::cpu_limit_reached() {
            RError::CpuLimit
        } else if is_error {
            RError::Failed(error_text::condition().message)
        } else {
            RError::Interrupted
        }
    })
}
