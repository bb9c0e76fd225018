test_that("code prints as at the prompt, and an error of it is told and not raised", {
  with_session({
    result <- NULL
    text <- printed(result <- remoteExecute("1:3; invisible(4); warning('careful'); stop('no')"))
    expect_identical(text, "[1] 1 2 3\nWarning message:\ncareful \nError: no")
    expect_named(result, c("success", "errorMessage", "outputParameters", "consoleOutput", "changedFiles"))
    expect_false(result$success)
    expect_identical(result$errorMessage, "no")
  })
})

test_that("inputs and outputs go both ways", {
  with_session({
    back <- function(value) remoteExecute("y <- x", inputs = list(x = value), outputs = "y")$outputParameters$y
    for (value in list(1.5, 1:3, c(TRUE, NA), "a\"b\n\u65e5\u672c", c(a = 1, b = 2), NA, 1e-300, pi, 2^53, rbind(1:2, 3:4))) {
      expect_equal(back(value), unname(value), tolerance = 0)
    }
    expect_identical(back(data.frame(a = 1:2, b = c("x", "y"))), list(a = 1:2, b = c("x", "y")))
    json <- "[{\"name\": \"x\", \"value\": 120}]"
    expect_equal(remoteExecute("y <- x + 1", inputs = json, outputs = c("x", "y"))$outputParameters, list(x = 120, y = 121))
    expect_error(remoteExecute("1", inputs = "[{"), class = "offshoot_invalid")
  })
})

test_that("output of code that takes long appears while it runs", {
  with_session({
    # When the second part is printed, the first has been seen: the code waits for a file that is put there then.
    seen <- character()
    code <- "cat('begun\\n'); while (!file.exists('go')) Sys.sleep(0.05); cat('ended\\n')"
    run <- begin_run(code, NULL, NULL)
    console <- list(add = function(text) seen <<- c(seen, text), upto = function(text) NULL)
    while (send_json("GET", session_path("console-output"))$consoleOutput != "begun\n") drive(run, 0)
    watch <- watch_console(console, run)
    while (!any(grepl("begun", seen))) drive(run, 0.1)
    expect_false(any(grepl("ended", seen)))
    writeLines("", "go")
    putLocalFile("go")
    while (is_running(run)) drive(run, 0.1)
    watch$end()
    expect_identical(result_of(run)$consoleOutput, "begun\nended\n")
  })
})

test_that("a file of code is one run, with its plots as files", {
  with_session({
    writeLines(c(
      "png(filename = 'large.png', width = 640, height = 300)", "plot(1)", "dev.off()", "plot(2)", "size <- 3", "size"
    ), "script.R")
    text <- printed(result <- remoteScript("script.R", displayPlots = FALSE))
    expect_match(text, "[1] 3", fixed = TRUE)
    expect_setequal(result$changedFiles, c("large.png", "unnamedplot001.png"))
    expect_true(all(file.exists("large.png", "unnamedplot001.png")))
    size <- function(file) readBin(file, "integer", 6, endian = "big")[5:6]
    expect_identical(size("large.png"), c(640L, 300L))
    expect_identical(size("unnamedplot001.png"), c(400L, 400L))
    # The path of a file that is there is meant, even if `script` is not said.
    expect_match(printed(remoteExecute("script.R")), "[1] 3", fixed = TRUE)
    expect_error(remoteScript("nowhere.R"), "no file", class = "offshoot_invalid")
  })
})

test_that("plots are shown here", {
  skip_if_not_installed("png")
  with_session({
    grDevices::pdf("here.pdf")
    on.exit(grDevices::dev.off())
    remoteExecute("plot(1)", displayPlots = TRUE)
    expect_identical(graphics::par("mar"), c(5.1, 4.1, 4.1, 2.1))
    expect_identical(graphics::par("usr")[1], graphics::par("usr")[3])
    expect_false(file.exists("unnamedplot001.png"))
  })
})

test_that("code runs while this R is free", {
  with_session({
    run <- remoteExecute("cat('one\\n'); while (!file.exists('go')) Sys.sleep(0.05); z <- 5", outputs = "z", async = TRUE)
    expect_false(run$done())
    expect_null(run$wait(timeout = 0.1))
    while (run$output() == "") Sys.sleep(0.05)
    expect_identical(run$output(), "one\n")
    expect_output(print(run), "runs since")
    writeLines("", "go")
    putLocalFile("go")
    expect_identical(run$wait()$outputParameters$z, 5L)
    expect_true(run$done())
    expect_output(print(run), "has ended")
  })
})

test_that("code that was not waited for can be stopped, and the session lives on", {
  with_session({
    run <- remoteExecute("Sys.sleep(1000)", async = TRUE)
    expect_false(run$cancel()$success)
    expect_identical(remote(1 + 1), 2)
  })
})

test_that("code that has not begun when it is cancelled is stopped when it has", {
  with_session({
    first <- remoteExecute("Sys.sleep(1000)", async = TRUE)
    second <- remoteExecute("Sys.sleep(1000)", async = TRUE)
    expect_false(second$cancel()$success)
    expect_false(first$wait()$success)
  })
})

test_that("an interrupt while curl calls this R ends no request", {
  skip_on_os("windows")
  with_session({
    run <- begin_run("cat('begun\\n'); Sys.sleep(1000)", NULL, NULL)
    while (send_json("GET", session_path("console-output"))$consoleOutput != "begun\n") drive(run, 0)
    interrupt <- function(text) {
      if (!startsWith(text, "begun")) return()
      tools::pskill(Sys.getpid(), tools::SIGINT)
      # R looks for interrupts now and then while it evaluates.
      for (i in seq_len(1e5)) i + i
    }
    watch <- watch_console(list(add = interrupt, upto = interrupt), run)
    wait <- function() while (is_running(run)) drive(run, 0.1)
    expect_identical(tryCatch(wait(), interrupt = function(interrupt) "interrupted"), "interrupted")
    expect_true(is_running(run))
    expect_length(curl::multi_list(run$pool), 2)
    cancel_run()
    wait()
    watch$end()
    expect_identical(result_of(run)$consoleOutput, "begun\n\n")
  })
})

test_that("the session can end with the code", {
  with_session({
    run <- remoteScript({
      writeLines("x <- 1", "script.R")
      "script.R"
    }, async = TRUE, closeOnComplete = TRUE)
    expect_true(run$wait()$success)
    expect_error(remoteExecute("1"), class = "offshoot_no_login")
  })
})

test_that("the value of an expression comes back, and nothing is left behind", {
  with_session({
    rows <- 2
    expect_identical(remote(head(mtcars, rows), rows), head(mtcars, 2))
    expect_identical(remote({ a <- k; a * 2 }, k = 21), 42)
    expect_null(remote(NULL))
    add <- remote(function(x) x + k, k = 1)
    expect_identical(add(1), 2)
    expect_identical(printed(remote(cat("text\n"))), "text")
    expect_error(printed(remote(stop("no"))), "no", class = "offshoot_remote_error")
    expect_error(remote(1, rows + 1), "needs a name", class = "offshoot_invalid")
    expect_identical(remote(ls(globalenv(), all.names = TRUE)), c(".Random.seed", ".offshoot_remote")[0])
  })
})

test_that("what is no code, and what are no inputs, is refused", {
  with_session({
    for (code in list(quote(x + 1), NA, 5, function(x) x)) expect_error(remoteExecute(code), "remote\\(\\)", class = "offshoot_invalid")
    for (inputs in list(list(1), list(a = 1, 2), c(x = 1), 5)) expect_error(remoteExecute("1", inputs = inputs), "by name", class = "offshoot_invalid")
    for (name in list(c("a.R", "b.R"), NULL, character(), tempdir())) expect_error(remoteScript(name), class = "offshoot_invalid")
  })
})

test_that("files of code may begin with a mark, and have to be in UTF-8", {
  with_session({
    writeBin(c(as.raw(c(0xef, 0xbb, 0xbf)), charToRaw(enc2utf8("x <- '\u00e9'\r\nnchar(x)\r\n"))), "marked.R")
    expect_identical(printed(remoteScript("marked.R")), "[1] 1")
    writeBin(c(charToRaw("x <- '"), as.raw(0xe9), charToRaw("'\n")), "latin1.R")
    skip_if(l10n_info()[["Latin-1"]])
    expect_error(remoteScript("latin1.R"), "not in UTF-8", class = "offshoot_invalid")
  })
})

test_that("a file that is called like a plot and is none loses no result", {
  skip_if_not_installed("png")
  with_session({
    expect_warning(result <- remoteExecute("writeLines('text', 'bad.png'); x <- 1", outputs = "x", displayPlots = TRUE), "bad.png")
    expect_identical(result$outputParameters$x, 1L)
  })
})

test_that("output that is long, or comes late, is shown once and whole", {
  with_session({
    sink("shown.txt")
    on.exit(if (sink.number() > 0L) sink())
    remoteExecute("Sys.sleep(0.5); cat(strrep('x', 1e5), '\n'); for (i in 1:20000) cat('line', i, '\n')")
    sink()
    expect_identical(readLines("shown.txt"), c(paste0(strrep("x", 1e5), " "), paste("line", 1:20000, "")))
  })
})

test_that("lines of events are put together, however they come", {
  seen <- character()
  read <- event_reader(function(text) seen <<- c(seen, text))
  bytes <- charToRaw(enc2utf8("event: console\ndata: \"a \u00e9\\n\"\n\nevent: end\ndata: null\n\n"))
  for (byte in bytes) read(byte, FALSE)
  expect_identical(seen, "a \u00e9\n")
})

test_that("what was shown is not shown again", {
  expect_identical(not_shown("abc", "ab"), "c")
  expect_identical(not_shown("abc", ""), "abc")
  expect_identical(not_shown("of another run", "text"), "of another run")
  lines <- paste0("line ", 1:2000, "\n", collapse = "")
  without_middle <- paste0(substr(lines, 1, 3000), "[... left out ...]", substring(lines, nchar(lines) - 2999))
  expect_identical(not_shown(without_middle, lines), "")
  expect_identical(not_shown(without_middle, substr(lines, 1, nchar(lines) - 20)), substring(lines, nchar(lines) - 19))
})

test_that("a run belongs to its session", {
  with_session({
    run <- remoteExecute("Sys.sleep(2); 7", async = TRUE, closeOnComplete = TRUE)
    suppressMessages(login())
    expect_error(run$output(), "another session", class = "offshoot_no_session")
    expect_error(run$cancel(), "another session", class = "offshoot_no_session")
    expect_true(run$wait()$success)
    expect_identical(remote(1 + 1), 2)
  })
})
