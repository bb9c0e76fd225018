# Values as JSON: no server is needed.

test_that("values are written as the interface has them", {
  written <- function(value) encode_value(value)
  expect_identical(written(1.5), "1.5")
  expect_identical(written(1:3), "[1,2,3]")
  expect_identical(written(c(TRUE, NA)), "[true,null]")
  expect_identical(written(NA_character_), "null")
  expect_identical(written(c(NaN, Inf, -Inf)), "[null,\"Inf\",\"-Inf\"]")
  expect_identical(written("a\"b\n\u00e9"), "\"a\\\"b\\n\u00e9\"")
  expect_identical(written(matrix(1:4, 2)), "[[1,3],[2,4]]")
  expect_identical(written(data.frame(a = 1, b = "x")), "{\"a\":[1],\"b\":[\"x\"]}")
  expect_identical(written(data.frame(a = numeric())), "{\"a\":[]}")
  expect_identical(written(factor(c("u", "v"))), "[\"u\",\"v\"]")
  expect_identical(written(as.Date("2016-11-20")), "\"2016-11-20\"")
  expect_identical(written(list(1, "a")), "[1,\"a\"]")
  expect_identical(written(list(a = 1, b = list(2))), "{\"a\":1,\"b\":[2]}")
  expect_identical(written(NULL), "null")
  expect_identical(written(0.1 + 0.2), "0.30000000000000004")
  expect_error(written(sum), class = "offshoot_invalid")
  expect_error(written(as.raw(1)), class = "offshoot_invalid")
})

test_that("values are read as they were meant", {
  read <- function(text, ...) decode_value(jsonlite::fromJSON(text, simplifyVector = FALSE), ...)
  expect_identical(read("1.5"), 1.5)
  expect_identical(read("[1, 2, null]"), c(1L, 2L, NA))
  expect_identical(read("[[1, 2], [3, 4]]"), rbind(1:2, 3:4))
  expect_identical(read("{\"a\": [1, 2], \"b\": [\"x\", \"y\"]}", "data.frame"), data.frame(a = 1:2, b = c("x", "y")))
  expect_identical(read("{\"a\": [], \"b\": []}", "data.frame"), data.frame(a = logical(), b = logical()))
  expect_identical(read("[[1, 2], [3]]"), list(1:2, 3L))
  expect_identical(read("3", "numeric"), 3)
  expect_identical(read("[]", "vector"), list())
})

test_that("a function becomes code that binds its output", {
  expect_identical(
    service_code(function(x, y) x + y, list(x = "numeric", "odd name" = "numeric"), list(sum = "numeric")),
    "sum <- (function (x, y) \nx + y)(x = x, `odd name` = `odd name`)"
  )
  expect_error(service_code(function(x) x, list(x = "numeric"), list(a = "numeric", b = "numeric")), class = "offshoot_invalid")
  expect_error(types_of(list(x = "number")), "none of logical", class = "offshoot_invalid")
})

test_that("versions of packages are those that installed.packages() has", {
  known <- utils::installed.packages()
  known <- known[!duplicated(known[, "Package"]), ]
  expect_identical(installed_packages()[known[, "Package"]], known[, "Version"])
})

test_that("values of classes of their own, and columns that are lists, are written", {
  expect_identical(encode_value(data.frame(a = I(list(pi, 1:2)))), "{\"a\":[3.1415926535897931,[1,2]]}")
  expect_identical(encode_value(numeric_version("1.2")), "\"1.2\"")
  expect_identical(encode_value(as.difftime(3, units = "mins")), "3")
  expect_identical(encode_value(noquote("a")), "\"a\"")
  bytes <- "\xff"
  Encoding(bytes) <- "bytes"
  expect_error(encode_value(bytes), "Bytes", class = "offshoot_invalid")
})

test_that("infinite numbers among numbers are read as numbers", {
  read <- function(text) decode_value(jsonlite::parse_json(text))
  expect_identical(read("[1.5, \"Inf\", \"-Inf\", null]"), c(1.5, Inf, -Inf, NA))
  expect_identical(read("[1, \"Infinity\"]"), list(1L, "Infinity"))
  expect_identical(read("[\"Inf\", null]"), c("Inf", NA))
})

test_that("times are counted in seconds", {
  expect_gt(seconds_since(Sys.time() - 7200), 7199)
})

test_that("what is typed in the locale C is UTF-8", {
  before <- Sys.getlocale("LC_CTYPE")
  on.exit(Sys.setlocale("LC_CTYPE", before))
  Sys.setlocale("LC_CTYPE", "C")
  expect_identical(Encoding(of_no_locale("\xc3\xa9")), "UTF-8")
  expect_identical(Encoding(of_no_locale("\xe9")), "unknown")
  expect_identical(of_no_locale(NA_character_), NA_character_)
})

test_that("code that is not complete is known in every language", {
  told <- function(code) tryCatch(parse(text = code, keep.source = FALSE), error = conditionMessage)
  for (code in c("f(", "f <- function() {", "f(\n\n", "x <-", "if (TRUE) {\n  1 # }")) expect_true(ends_early(told(code), code), label = code)
  for (code in c("f)", "x <- )", "f(\n)\n)", "1 %in", "else 2")) expect_false(ends_early(told(code), code), label = code)
  expect_true(ends_early("<text>:2:0: fin d'entr\u00e9e inattendue(e)\n1: f(\n   ^", "f("))
})
