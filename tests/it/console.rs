//! All printed text is captured in order and as UTF-8, whichever code prints it.

use crate::harness::{Client, Server};

#[tokio::test]
async fn r_and_its_children_are_captured_in_order() {
    let session = Client::admin(Server::shared()).await.session().await;
    let code = "cat('one\\n'); system('echo two; echo three >&2'); message('four'); print('five'); write('six', stderr()); \
                system2('echo', 'seven'); cat('eight')";
    assert_eq!(session.prints(code).await, "one\ntwo\nthree\nfour\n[1] \"five\"\nsix\nseven\neight");
}

#[tokio::test]
async fn c_code_is_captured_in_order() {
    let session = Client::admin(Server::shared()).await.session().await;
    // tools:::Rd2txt and friends print through R; parallel's children print through C's standard output.
    let code = "cat('a '); p <- parallel::mcparallel({ cat('child '); 1 }); invisible(parallel::mccollect(p)); cat('b')";
    assert_eq!(session.prints(code).await, "a child b");
}

/// Neither C nor Fortran ends each line at once, or by itself, where it prints to a pipe.
#[tokio::test]
async fn what_fortran_and_c_print_is_captured_in_order_with_what_r_prints() {
    const FORTRAN: &str = "subroutine tell()\nwrite(*,*) 'Fortran'\nwrite(*,'(a)',advance='no') 'half '\nend\n";
    const C: &str = "#include <stdio.h>\nvoid speak(void) { printf(\"C \"); }\n";
    let session = Client::admin(Server::shared()).await.session().await;
    let compile = "stopifnot(system2(file.path(R.home('bin'), 'R'), 'CMD SHLIB -o both.so tell.f90 speak.c', stdout = FALSE) == 0)";
    session.run(&format!("writeLines({FORTRAN:?}, 'tell.f90'); writeLines({C:?}, 'speak.c'); {compile}; dyn.load('both.so')")).await;
    let code = "cat('R '); invisible(.C('speak')); cat('R'); invisible(.Fortran('tell')); cat('R '); invisible(.C('speak')); \
                system('echo child'); invisible(.Fortran('tell')); message('R')";
    assert_eq!(session.prints(code).await, "R C R Fortran\nhalf R C child\n Fortran\nhalf R");
}

/// R writes the files together, with headers and blank lines, and gives them to a program that shows them.
#[tokio::test]
async fn file_show_and_help_print_what_rscript_prints() {
    let session = Client::admin(Server::shared()).await.session().await;
    session.run("writeLines(c('one', '', '', 'two'), 'a.txt'); cat('without an end', file = 'b.txt')").await;
    for code in [
        "file.show('a.txt', 'b.txt', header = c('First', 'Second'), title = 'Title')",
        "file.show('a.txt', title = 'Title')",
        "print(help('mean', help_type = 'text'))",
    ] {
        // What is printed after it keeps the dialect from taking the last end of line away.
        let code = format!("{code}; cat('end')");
        let by_rscript =
            format!("cat(system2(file.path(R.home('bin'), 'Rscript'), c('-e', shQuote({code:?})), stdout = TRUE), sep = '\n')");
        let by_rscript = session.prints(&by_rscript).await;
        assert!(by_rscript.lines().count() > 4, "{by_rscript}");
        assert_eq!(session.prints(&code).await, by_rscript);
    }
}

#[tokio::test]
async fn all_scripts_and_encodings_become_utf8() {
    let session = Client::admin(Server::shared()).await.session().await;
    let text = "grüße, Ελλάδα, Русский, 日本語, العربية, हिन्दी, 🙂";
    assert_eq!(session.prints(&format!("cat('{text}')")).await, text);
    assert_eq!(session.prints("x <- 'caf\\xe9'; Encoding(x) <- 'latin1'; cat(x); print(x)").await, "café[1] \"café\"");
    assert_eq!(session.prints("print('\\xff\\xfe')").await, "[1] \"\\xff\\xfe\"");
    // Bytes that are not valid text.
    assert_eq!(session.prints("cat('a\\xffb')").await, "a\u{fffd}b");
    assert_eq!(session.prints("system(\"printf 'a\\\\377b'\")").await, "a\u{fffd}b");
}

#[tokio::test]
async fn nothing_is_printed_by_itself() {
    let session = Client::admin(Server::shared()).await.session().await;
    assert_eq!(session.prints("1 + 1; 'text'; data.frame(a = 1)").await, "");
}

#[tokio::test]
async fn output_of_calls_has_no_last_line_end_and_output_has_it() {
    let session = Client::admin(Server::shared()).await.session().await;
    assert_eq!(session.run("print(1); cat('\\n')").await["console"]["value"], "[1] 1\n");
    assert_eq!(session.get("output", &[]).await.success()["console"]["value"], "[1] 1\n\n");
    let silent = session.run("x <- 1").await;
    assert!(silent.get("console").is_none());
    assert_eq!(session.get("output", &[]).await.success()["console"]["value"], "");
}

#[tokio::test]
async fn long_output_is_cut_in_the_middle_and_never_blocks_r() {
    let server = Server::start("[sessions]\nconsole_kib = 8\npool = 1");
    let session = Client::admin(&server).await.session().await;
    let printed = session.prints("for (i in 1:20000) cat('line', i, '\\n')").await;
    assert!(printed.starts_with("line 1 \n") && printed.ends_with("line 20000 "), "{}", &printed[..50]);
    assert!(printed.contains("bytes of output left out") && printed.len() < 9 << 10);
    let printed = session.prints("system('yes | head -c 5000000')").await;
    assert!(printed.contains("bytes of output left out") && printed.len() < 9 << 10);
}

#[tokio::test]
async fn a_process_that_prints_on_does_not_hold_up_answers() {
    let session = Client::admin(Server::shared()).await.session().await;
    session.run("system('yes', wait = FALSE)").await;
    assert_eq!(session.value("1 + 1").await["value"], 2);
    session.run("system('pkill -x yes')").await;
    session.close().await;
}
