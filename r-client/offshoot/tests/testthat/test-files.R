test_that("files come back byte by byte, and are written here", {
  with_session({
    content <- as.raw(sample(0:255, 3e5, replace = TRUE))
    writeBin(content, "data.bin")
    expect_true(putLocalFile("data.bin"))
    unlink("data.bin")
    expect_identical(getRemoteFile("data.bin", as = "raw"), content)
    expect_identical(readBin("data.bin", "raw", 4e5), content)
    expect_null(getRemoteFile("data.bin", destination = NULL), label = "bytes as text")
    expect_identical(listRemoteFiles(), "data.bin")
    expect_true(deleteRemoteFile("c:/somewhere/data.bin"))
    expect_identical(listRemoteFiles(), character())
  })
})

test_that("names in other scripts, and text, go both ways", {
  with_session({
    name <- "50% \u00e9t\u00e9 #1 + 2.txt"
    connection <- file(name, "w", encoding = "UTF-8")
    writeLines("na\u00efve \u65e5", connection)
    close(connection)
    putLocalFile(name)
    expect_identical(listRemoteFiles(), name)
    expect_identical(getRemoteFile(name, destination = NULL), "na\u00efve \u65e5\n")
    deleteRemoteFile(name)
  })
})

test_that("what is not there is an error, and what is here stays", {
  with_session({
    writeLines("mine", "kept.txt")
    expect_error(getRemoteFile("kept.txt"), "kept.txt", class = "offshoot_not_found")
    expect_identical(readLines("kept.txt"), "mine")
    expect_identical(list.files(all.files = TRUE, no.. = TRUE), "kept.txt")
    expect_error(deleteRemoteFile("kept.txt"), class = "offshoot_not_found")
    expect_error(putLocalFile("nothing.txt"), "no file", class = "offshoot_invalid")
  })
})

test_that("names that are none, and files here that cannot be written, say so", {
  with_session({
    remoteExecute("writeLines('text', 'there.txt')")
    for (name in list(NULL, c("a", "b"), NA, 5)) {
      expect_error(getRemoteFile(name), class = "offshoot_invalid")
      expect_error(deleteRemoteFile(name), class = "offshoot_invalid")
      expect_error(putLocalFile(name), class = "offshoot_invalid")
    }
    expect_error(getRemoteFile("there.txt", destination = "nowhere/there.txt"), "cannot be written", class = "offshoot_invalid")
    # These are names, and not steps of a path.
    for (name in c(".", "..")) expect_error(deleteRemoteFile(name), class = "offshoot_not_found")
    expect_identical(listRemoteFiles(), "there.txt")
  })
})
