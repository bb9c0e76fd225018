//! The C compiler compares our declarations of R's C interface with R's headers.

use std::io::Write;

use crate::harness::program;

/// Each declaration of `src/r/ffi.rs`, in C. If two declarations of one name differ, the compiler reports an error.
const DECLARATIONS: &str = r#"
#include <stddef.h>
#include <stdio.h>
#include <libintl.h>
#define R_INTERFACE_PTRS 1
#include <Rinternals.h>
#include <Rembedded.h>
#include <Rinterface.h>
#define HAVE_SYS_SELECT_H 1
#include <R_ext/eventloop.h>
#include <R_ext/GraphicsEngine.h>

extern Rboolean R_ToplevelExec(void (*)(void *), void *);
extern void R_InitInPStream(R_inpstream_t, R_pstream_data_t, R_pstream_format_t, int (*)(R_inpstream_t),
    void (*)(R_inpstream_t, void *, int), SEXP (*)(SEXP, SEXP), SEXP);
extern SEXP R_UnwindProtect(SEXP (*)(void *), void *, void (*)(void *, Rboolean), void *, SEXP);
extern void R_ReplDLLinit(void);
extern int R_ReplDLLdo1(void);
extern void run_Rmainloop(void);
extern int R_SignalHandlers;
extern char *R_TempDir;
extern Rboolean R_Interactive;
extern FILE *R_Outputfile;
extern FILE *R_Consolefile;
extern int R_running_as_main_program;
extern void (*ptr_R_Suicide)(const char *);
extern void (*ptr_R_ShowMessage)(const char *);
extern int (*ptr_R_ReadConsole)(const char *, unsigned char *, int, int);
extern void (*ptr_R_WriteConsole)(const char *, int);
extern void (*ptr_R_WriteConsoleEx)(const char *, int, int);
extern void (*ptr_R_ResetConsole)(void);
extern void (*ptr_R_FlushConsole)(void);
extern void (*ptr_R_ClearerrConsole)(void);
extern void (*ptr_R_Busy)(int);
extern void (*ptr_R_CleanUp)(SA_TYPE, int, int);
extern int (*ptr_R_ChooseFile)(int, char *, int);
extern void *R_GlobalContext;
extern InputHandler *R_InputHandlers;
extern void (*R_PolledEvents)(void);
extern int R_wait_usec;
extern void R_set_command_line_arguments(int, char **);
extern InputHandler *addInputHandler(InputHandler *, int, void (*)(void *), int);
extern void R_runHandlers(InputHandler *, fd_set *);
extern pGEDevDesc GEgetDevice(int);
extern Rboolean R_Visible;
extern SEXP *R_PPStack;
extern int R_PPStackTop;
extern SEXP PRVALUE(SEXP);
extern SEXP PRCODE(SEXP);
extern SEXP R_PromiseExpr(SEXP);
extern SEXP SYMVALUE(SEXP);
extern int RDEBUG(SEXP);
extern void SET_RDEBUG(SEXP, int);
const char *R_curErrorBuf(void);
extern char *dgettext(const char *, const char *);
extern char *dngettext(const char *, const char *, const char *, unsigned long);

_Static_assert(sizeof(Rboolean) == sizeof(int), "size of Rboolean");
_Static_assert(offsetof(GEDevDesc, recordGraphics) == 5 * sizeof(void *) + sizeof(int), "place of recordGraphics");
_Static_assert(sizeof(SA_TYPE) == sizeof(int), "size of SA_TYPE");
"#;

#[test]
fn our_declarations_agree_with_the_headers() {
    let include = program("R").args(["CMD", "config", "--cppflags"]).output().expect("R is installed");
    let flags = String::from_utf8(include.stdout).unwrap();
    let mut file = tempfile::Builder::new().suffix(".c").tempfile().unwrap();
    file.write_all(DECLARATIONS.as_bytes()).unwrap();
    let output =
        program("cc").args(flags.split_whitespace()).args(["-Wall", "-Werror", "-fsyntax-only"]).arg(file.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(declared_in_rust(), declared_in_c());
}

/// The names in the `extern` block.
fn declared_in_rust() -> Vec<String> {
    let source = include_str!("../../src/r/ffi.rs");
    let block = &source[source.find("unsafe extern \"C-unwind\" {").unwrap()..];
    let lines = block.lines().filter_map(|line| line.trim().strip_prefix("pub "));
    let mut names: Vec<_> = lines
        .filter_map(|line| line.strip_prefix("static mut ").or_else(|| line.strip_prefix("fn ")))
        .map(|line| line.split([':', '(']).next().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

fn declared_in_c() -> Vec<String> {
    let lines = DECLARATIONS.lines().filter(|line| line.starts_with("extern") || line.starts_with("const char"));
    let mut names: Vec<_> = lines
        .map(|line| {
            // The name of a pointer to a function is in parentheses of its own.
            let (before, after) = line.split_once('(').unwrap_or((line, ""));
            let name = after.strip_prefix('*').filter(|_| before.ends_with(' ')).map_or(before, |rest| rest.split(')').next().unwrap());
            name.trim_end_matches(';').rsplit([' ', '*']).next().unwrap().to_owned()
        })
        .collect();
    names.sort();
    names
}
